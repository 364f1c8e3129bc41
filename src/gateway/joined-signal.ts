/** One signal for several. `AbortSignal.any` keeps whoever listens to it for as long as its sources live, which here may be weeks. */

/** A signal to be let go of. */
export interface JoinedSignal {
  /** Aborts with the first of the others. */
  signal: AbortSignal;
  /** Nothing listens to the others any more. */
  release: () => void;
}

/** Joins signals of different lives; {@link JoinedSignal.release} is the caller's duty. */
export function joinSignals(...sources: readonly AbortSignal[]): JoinedSignal {
  const joined = new AbortController();
  const listeners = sources.map((source) => ({ source, listener: () => abort(source) }));
  function release(): void {
    for (const { source, listener } of listeners) source.removeEventListener("abort", listener);
  }
  function abort(source: AbortSignal): void {
    release();
    joined.abort(source.reason);
  }
  for (const { source, listener } of listeners) source.addEventListener("abort", listener);
  const aborted = sources.find((source) => source.aborted);
  if (aborted !== undefined) abort(aborted);
  return { signal: joined.signal, release };
}
