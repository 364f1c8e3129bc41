/** What is shown of an error, and the exit code it ends with. */
import { CommanderError } from "commander";
import { ExecutionClientError } from "../client/index.ts";
import { AppError, messageOf, UsageError } from "../errors.ts";
// Not by its index: that loads the model's SDK, which most commands do without.
import { InterpreterError } from "../interpreter/error.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/**
 * Says what went wrong: one sentence, or with `isDebug` everything that is known.
 * @returns the exit code.
 */
export function reportFailure(error: unknown, terminal: Terminal, isDebug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const known = [UsageError, AppError, ExecutionClientError, InterpreterError];
  const isKnown = known.some((each) => error instanceof each);
  const hint = isKnown ? "" : " This is a fault of the program; --debug shows where.";
  terminal.stderr.write(`taskweaver: ${messageOf(error)}${hint}\n`);
  if (isDebug) terminal.stderr.write(`${describeChain(error)}\n`);
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}

function describeChain(error: unknown): string {
  const lines: string[] = [];
  for (let current = error; current !== undefined && lines.length < 10; current = current instanceof Error ? current.cause : undefined) {
    lines.push(current instanceof Error ? (current.stack ?? String(current)) : JSON.stringify(current));
  }
  return lines.join("\ncaused by: ");
}
