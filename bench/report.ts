/** The figures as Markdown tables, which terminals show well too; and their place in `docs/performance.md`. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./bench.ts";
import { formatNumber, p50, percentile, type Comparison, type FreeTable, type PartResult, type Series } from "./result.ts";

const PAGE = join(ROOT, "docs/performance.md");
const BEGIN = "<!-- Figures: written by npm run bench. -->";
const END = "<!-- End of the figures. -->";

/** All figures of a run. */
export function renderFigures(results: readonly PartResult[]): string {
  const goals = results.flatMap((result) => result.goals ?? []);
  const comparisons = results.flatMap((result) => result.comparisons ?? []);
  const tables = results.flatMap((result) => result.tables ?? []);
  return [
    ...(goals.length === 0 ? [] : [renderTable(goalTable(goals))]),
    ...(comparisons.length === 0 ? [] : [renderTable(comparisonTable(comparisons))]),
    ...tables.map(renderTable),
  ].join("\n\n");
}

/** Replaces the figures of `docs/performance.md`; what was written around them by hand stays. */
export async function writePage(text: string): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/performance.md has lost its lines "${BEGIN}" and "${END}".`);
  await writeFile(PAGE, `${page.slice(0, begin)}${BEGIN}\n\n${text}\n\n${page.slice(end)}`);
}

function goalTable(goals: NonNullable<PartResult["goals"]>): FreeTable {
  return {
    title: "Goals",
    head: ["what", "to reach", "measured", "reached"],
    rows: goals.map((goal) => [goal.what, goal.reach, goal.measured, goal.isReached ? "yes" : "NO"]),
  };
}

function comparisonTable(comparisons: readonly Comparison[]): FreeTable {
  return {
    title: "Samples",
    head: ["what", "who", "n", "p50", "p95", "p99", "unit", "p50 over ours"],
    rows: comparisons.flatMap(({ what, unit, ours, others }) => [
      [what, ...seriesCells(ours), unit, ""],
      ...others.map((other) => ["", ...seriesCells(other), unit, `${formatNumber(p50(other) / p50(ours))} x`]),
    ]),
  };
}

function seriesCells({ who, samples }: Series): string[] {
  return [who, String(samples.length), ...[0.5, 0.95, 0.99].map((share) => formatNumber(percentile(samples, share)))];
}

function renderTable({ title, head, rows }: FreeTable): string {
  const widths = head.map((name, column) => Math.max(3, name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [`### ${title}`, "", line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}
