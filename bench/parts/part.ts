/** What a part of the benchmark is. */
import type { Bench } from "../bench.ts";
import type { PartResult } from "../result.ts";

/** One part: starts what it measures, ends it, and says what it found. */
export interface Part {
  /** What the command line calls it. */
  readonly name: string;
  run(bench: Bench): Promise<PartResult>;
}
