/** What a part of the benchmark finds: samples of what was measured, and whether a goal is reached. */

/** Samples of one thing, of us or of what we are compared with. */
export interface Series {
  /** `this server`, `stock kernel`. */
  who: string;
  samples: readonly number[];
}

/** One comparison: ours first, then the others. */
export interface Comparison {
  what: string;
  unit: "ms" | "MiB" | "executions/s" | "s";
  ours: Series;
  others: readonly Series[];
}

/** One line of the figures to reach. */
export interface Goal {
  what: string;
  /** What to reach, in words. */
  reach: string;
  /** What was measured, in words. */
  measured: string;
  isReached: boolean;
}

/** A table beyond the comparisons, such as cost against scale. */
export interface FreeTable {
  title: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

/** All that a part found. */
export interface PartResult {
  comparisons?: readonly Comparison[];
  goals?: readonly Goal[];
  tables?: readonly FreeTable[];
}

/** The smallest sample that at least this share of all samples does not exceed (nearest rank). */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The median (nearest rank). */
export function p50(series: Series): number {
  return percentile(series.samples, 0.5);
}

/** Three significant digits, whole from 100 on: `0.94`, `12.3`, `1350`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
