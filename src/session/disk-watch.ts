/** Watches how much disk the files of each session take, and ends what goes on writing past the limit. See docs/limits.md. */
import type { Logger } from "pino";
import { AppError } from "../errors.ts";
import { describeBytes } from "../provision/limits/limits.ts";
import { diskUsage } from "./disk-usage.ts";
import type { Session } from "./session.ts";

/** What a watch is made with. */
export interface DiskWatchOptions {
  limitBytes: number;
  /** The sessions there are now. */
  sessions: () => Session[];
  logger: Logger;
  /** How often a session is looked at: at work, at work past its limit, and while nothing runs. */
  intervals?: { busyMs: number; fullMs: number; idleMs: number };
}

/** What is known of one session. */
interface Known {
  /** What was in a folder of the user's choice when the session came. */
  foreignBytes: number;
  bytes: number;
  /** A session that is past its limit may go on, as long as it takes no more than this. */
  allowedBytes: number;
  /** When it is looked at again: at work, and at rest. */
  busyLookAt: number;
  idleLookAt: number;
  /** The execution that was told to end. */
  ending: string | undefined;
  /** Executions ended in a row without an end to the writing. */
  strikes: number;
}

const NEVER_LOOKED = { busyLookAt: 0, idleLookAt: 0, ending: undefined, strikes: 0 };
const INTERVALS = { busyMs: 1_000, fullMs: 250, idleMs: 10_000 };

/** So much may come to be by the way, where files are being deleted. */
const SLACK_BYTES = 1024 * 1024;

/** Then it is no execution that writes, but something that the kernel has left running. */
const MOST_STRIKES = 3;

/** A walk over many files takes its time; this share of it at most goes to walking. */
const REST = 10;

/** One for all sessions of a server; looks at one session after the other. */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #intervals: { busyMs: number; fullMs: number; idleMs: number };
  readonly #known = new Map<Session, Known>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#intervals = options.intervals ?? INTERVALS;
  }

  /** Begins to watch. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.#lookAtAll().finally(() => {
        this.#looking = undefined;
      });
    }, this.#intervals.fullMs);
    this.#timer.unref();
  }

  /** How many bytes a client may still bring into a session. @throws AppError `no_space` where it has no room, or too little for so many. */
  async roomFor(session: Session, bytes: number): Promise<number> {
    const { limitBytes } = this.#options;
    const before = this.#known.get(session);
    // Many small files in a row need no walk each, as long as there is surely room.
    const isKnown = before !== undefined && Date.now() < before.busyLookAt && bytes < limitBytes - before.bytes;
    const known = isKnown ? before : await this.#look(session);
    const room = limitBytes - known.bytes;
    if (room <= 0 || bytes > room) {
      const taken = `${describeBytes(known.bytes)} of the ${describeBytes(limitBytes)}`;
      throw new AppError("no_space", `The session's files take ${taken} that they may (session_disk): there is no room for this one.`);
    }
    known.bytes += bytes;
    return room;
  }

  /** Ends the watch; resolves when nothing is looked at any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    const sessions = this.#options.sessions();
    for (const session of this.#known.keys()) if (!sessions.includes(session)) this.#known.delete(session);
    for (const session of sessions) {
      if (this.#closing.signal.aborted) return;
      const known = this.#known.get(session);
      const isDue = known === undefined || Date.now() >= (session.busy ? known.busyLookAt : known.idleLookAt);
      if (!session.running || !isDue) continue;
      try {
        this.#judge(session, await this.#look(session));
      } catch (error) {
        this.#options.logger.error({ error, sessionId: session.id }, "the disk that a session takes could not be looked at");
      }
    }
  }

  async #look(session: Session): Promise<Known> {
    const { cwd, directory } = session.workspace;
    const isForeign = !`${cwd}/`.startsWith(`${directory}/`);
    const beganAt = Date.now();
    const [own, foreign] = [await this.#usage(directory), isForeign ? await this.#usage(cwd) : 0];
    const tookMs = Date.now() - beganAt;
    const fresh = { foreignBytes: foreign, bytes: 0, allowedBytes: this.#options.limitBytes, ...NEVER_LOOKED };
    const known: Known = this.#known.get(session) ?? fresh;
    known.bytes = own + Math.max(0, foreign - known.foreignBytes);
    const { busyMs, fullMs, idleMs } = this.#intervals;
    const isFull = known.bytes > this.#options.limitBytes;
    known.busyLookAt = Date.now() + Math.max(isFull ? fullMs : busyMs, tookMs * REST);
    known.idleLookAt = Date.now() + Math.max(isFull ? fullMs : idleMs, tookMs * REST);
    this.#known.set(session, known);
    return known;
  }

  #usage(folder: string): Promise<number> {
    return diskUsage([folder], this.#closing.signal);
  }

  /**
   * Past the limit what deletes may run, and what writes on is ended: the execution that runs, and where nothing runs, or ended executions did not help,
   * the kernel.
   */
  #judge(session: Session, known: Known): void {
    const { limitBytes, logger } = this.#options;
    const { bytes, ending } = known;
    const { currentExecution } = session;
    if (ending !== undefined && bytes > limitBytes) {
      // It has its grace, and one look more for what it wrote at last.
      if (ending !== currentExecution) known.ending = undefined;
      known.allowedBytes = bytes;
      return;
    }
    const isPast = known.allowedBytes > limitBytes;
    if (bytes <= known.allowedBytes + (isPast ? SLACK_BYTES : 0)) {
      known.allowedBytes = Math.max(limitBytes, Math.min(known.allowedBytes, bytes));
      known.ending = undefined;
      known.strikes = 0;
      return;
    }
    known.allowedBytes = bytes;
    known.strikes += 1;
    const why = this.#describe(bytes);
    logger.warn({ sessionId: session.id, executionId: currentExecution, bytes, limitBytes }, "a session takes more disk than it may");
    if (currentExecution !== undefined && known.strikes < MOST_STRIKES) {
      known.ending = currentExecution;
      session.endFor(why, "execution");
    } else {
      known.strikes = 0;
      session.endFor(why, "kernel");
    }
  }

  #describe(bytes: number): string {
    const limit = describeBytes(this.#options.limitBytes);
    return `The session's files take ${describeBytes(bytes)}, more than the ${limit} that they may (session_disk); delete some`;
  }
}
