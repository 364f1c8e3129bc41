/** What a kernel does against the protocol: passed over, counted and told to the owner. */

/** Something that the kernel sent (or a listener did) that had to be passed over. */
export interface ProtocolFault {
  kind: keyof typeof COUNTERS;
  /** A sentence for the log; never the message's content. */
  detail: string;
  cause?: unknown;
}

/** How often what was passed over. */
export interface FaultCounts {
  badSignatures: number;
  malformed: number;
  tooLarge: number;
  /** Executions whose reply was followed by no idle. */
  missingIdle: number;
  failedListeners: number;
}

const COUNTERS = {
  bad_signature: "badSignatures",
  malformed: "malformed",
  too_large: "tooLarge",
  missing_idle: "missingIdle",
  listener_failed: "failedListeners",
} as const satisfies Record<string, keyof FaultCounts>;

/** Counts the faults of one kernel. */
export class FaultLog {
  readonly counts: FaultCounts = { badSignatures: 0, malformed: 0, tooLarge: 0, missingIdle: 0, failedListeners: 0 };
  readonly #onFault: ((fault: ProtocolFault) => void) | undefined;

  constructor(onFault: ((fault: ProtocolFault) => void) | undefined) {
    this.#onFault = onFault;
  }

  add(fault: ProtocolFault): void {
    this.counts[COUNTERS[fault.kind]] += 1;
    this.#onFault?.(fault);
  }
}
