/** How the checks' results are shown: for people, or as JSON for programs. */
import type { CheckResult } from "./check.ts";

const COLOURS = { ok: 32, warning: 33, problem: 31 } as const;

/** Whether nothing keeps the server from running. */
export function canRun(results: CheckResult[]): boolean {
  return results.every((result) => result.status !== "problem");
}

/** `{"ok": true, "checks": [...]}` */
export function jsonReport(results: CheckResult[]): string {
  return `${JSON.stringify({ ok: canRun(results), checks: results }, null, 2)}\n`;
}

/** One line per check, what to do below it, and a last line that sums up. */
export function textReport(results: CheckResult[], colour: boolean): string {
  const nameWidth = Math.max(...results.map((result) => result.name.length));
  const statusWidth = "problem".length;
  const lines = results.flatMap(({ name, status, detail, remedy }) => {
    const padded = status.padEnd(statusWidth);
    const shown = colour ? `\u001B[${COLOURS[status]}m${padded}\u001B[0m` : padded;
    const below = remedy === undefined ? [] : [`${" ".repeat(statusWidth + nameWidth + 4)}-> ${remedy}`];
    return [`${shown}  ${name.padEnd(nameWidth)}  ${detail}`, ...below];
  });
  return `${[...lines, "", summary(results)].join("\n")}\n`;
}

function summary(results: CheckResult[]): string {
  const problems = results.filter((result) => result.status === "problem").length;
  if (problems === 0) return "The server can run.";
  return `The server cannot run yet: ${problems} ${problems === 1 ? "problem" : "problems"}.`;
}
