/** How talking to a kernel fails; whoever owns the kernel turns these into its own errors. */

/** The kernel's process has ended, or the client was closed: no answer will come. */
export class KernelGoneError extends Error {
  constructor(message = "The kernel is gone.", options?: { cause?: unknown }) {
    super(message, options);
    this.name = "KernelGoneError";
  }
}

/** The kernel did not answer in time; it may still do so, unheard. */
export class KernelTimeoutError extends Error {
  readonly timeoutMs: number;

  /** @param what What was awaited, e.g. `complete_request`. */
  constructor(what: string, timeoutMs: number) {
    super(`The kernel did not answer ${what} within ${timeoutMs} ms.`);
    this.name = "KernelTimeoutError";
    this.timeoutMs = timeoutMs;
  }
}

/** The kernel broke the protocol in a way that leaves a request without its answer. */
export class KernelProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "KernelProtocolError";
  }
}
