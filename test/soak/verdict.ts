/** Is what the clients were told true? Judged by what the code itself wrote down, which no part of the server has a hand in. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { ExecutionResult } from "../../src/api/index.ts";
import type { Frame } from "../helpers/event-stream.ts";
import type { Plan } from "./executions.ts";
import type { PatientClient } from "./patient-client.ts";
import type { ServerUnderFire } from "./server-under-fire.ts";
import { textSeen, type SessionLoad, type Told } from "./session-load.ts";

/** The marks of one run of code. */
interface Mark {
  pid: number;
  /** How many had run before it with the same variables, and itself. */
  count: number;
  /** It came to its last line. */
  ended: boolean;
}

/** Every untruth that a session's clients were told, as sentences; none where all is well. */
export async function judge(load: SessionLoad, server: ServerUnderFire, client: PatientClient): Promise<string[]> {
  const faults: string[] = [];
  const marks = await readMarks(join(server.folder, "work/sessions", load.id, "cwd/marks"), faults);
  const listed = await client.call("GET", `${load.path}/executions`);
  const known = new Set((listed.json["executions"] as { execution_id: string }[] | undefined)?.map((one) => one.execution_id));
  for (const told of load.told) {
    const { id } = told.plan;
    if (!known.has(id)) faults.push(`${id} was accepted and is forgotten`);
    const say = (what: string): number => faults.push(`${id} (${told.plan.kind}): ${what}`);
    if (told.result === undefined) say("its client was never told how it ended");
    else judgeResult(told, told.result, marks.get(id), server, say);
    if (told.frames !== undefined) judgeFrames(told, told.frames, say);
    await judgeRepeats(load, told, crashed(told.plan, marks.get(id), server), client, say);
  }
  judgeVariables(load.told, marks, faults);
  return faults;
}

/** Each line is `begin` or `end`, the execution's id, the kernel's pid and the count. */
async function readMarks(file: string, faults: string[]): Promise<Map<string, Mark>> {
  const marks = new Map<string, Mark>();
  for (const line of (await readFile(file, "utf8").catch(() => "")).split("\n").filter((text) => text !== "")) {
    const [word, id = "", pid, count] = line.split(" ");
    const known = marks.get(id);
    if (word === "begin" && known !== undefined) faults.push(`${id} was run twice`);
    else if (word === "begin") marks.set(id, { pid: Number(pid), count: Number(count), ended: false });
    else if (known !== undefined) known.ended = true;
  }
  return marks;
}

function judgeResult(
  { plan }: Told,
  result: ExecutionResult,
  mark: Mark | undefined,
  server: ServerUnderFire,
  say: (what: string) => void,
): void {
  const { reason, error } = result;
  const isCrash = crashed(plan, mark, server);
  const text = result.stdout.join("");
  const isExpected = plan.ends.includes(reason);
  if (!isExpected && reason !== "kernel_died") say(`ended as ${reason}: ${error}`);
  if (result.is_success !== (reason === "completed")) say(`is_success is ${result.is_success} where it ended as ${reason}`);
  if (reason === "kernel_died" && !plan.ends.includes("kernel_died")) {
    if (mark !== undefined && !server.killed.has(mark.pid)) say(`is said to have died, and nobody killed its kernel: ${error}`);
    if (mark === undefined && server.killed.size === 0) say(`died without a cause: ${error}`);
  }
  if (reason === "completed" || reason === "error") {
    if (text !== plan.text) say(`its output is ${differ(text, plan.text)}`);
  } else if (!plan.text.startsWith(text)) say(`its output is no beginning of what it writes: ${differ(text, plan.text)}`);
  if (reason === "completed") {
    if (mark?.ended !== true) say("is said to be completed, and never came to its end");
    if (!isDeepStrictEqual(result.output, [plan.id, mark?.count])) say(`its value is ${JSON.stringify(result.output)}`);
  }
  if (reason === "error" && error?.includes(`ValueError: ${plan.id}`) !== true) say(`its error is another's: ${error}`);
  if (reason === "cancelled" && mark !== undefined) say("is said to have never started, and ran");
  const stderr = withoutCrash(result.stderr.join(""), isCrash);
  if (stderr !== "") say(`stderr: ${stderr.slice(0, 300)}`);
}

/** Whether the kernel that ran it was made to crash, or crashed by its code: Python's traceback of that is in what the kernel's last execution wrote. */
function crashed({ ends }: Plan, mark: Mark | undefined, server: ServerUnderFire): boolean {
  if (ends.includes("kernel_died")) return true;
  // One that crashed before the code's first line has left no number.
  const signals = mark === undefined ? [...server.killed.values()].flat() : server.killed.get(mark.pid);
  return signals?.includes("SIGSEGV") === true;
}

function withoutCrash(stderr: string, isCrash: boolean): string {
  // It comes in pieces, and the result may be told between two of them.
  return isCrash ? stderr.replace(/Fatal Python error: [^]*$/, "") : stderr;
}

/** What one reader was sent, over all its connections. */
function judgeFrames(told: Told, frames: Frame[], say: (what: string) => void): void {
  const ids = frames.map((frame) => frame.id);
  if (ids.some((id, index) => id !== index + 1)) say(`its events are numbered ${ids.join(" ").slice(0, 300)}`);
  if (
    !isDeepStrictEqual(
      frames.slice(-2).map((frame) => frame.event),
      ["result", "done"],
    )
  )
    say("its stream does not end with result and done");
  const [seen, result] = [textSeen(told), told.result?.stdout.join("") ?? ""];
  if (seen !== result) say(`its stream's text is not its result's: ${differ(seen, result)}`);
}

/** Who asks later is told the same as who asked first, but for the traceback of a kernel that crashed meanwhile. */
async function judgeRepeats(
  { path }: SessionLoad,
  { plan, result, frames }: Told,
  isCrash: boolean,
  client: PatientClient,
  say: (what: string) => void,
): Promise<void> {
  const calm = (told: ExecutionResult): ExecutionResult => ({ ...told, stderr: [withoutCrash(told.stderr.join(""), isCrash)] });
  const calmFrame = (frame: Frame): Frame =>
    frame.event === "result" ? { ...frame, data: { ...calm(frame.data as unknown as ExecutionResult) } } : frame;
  const { status: code, json: status } = await client.call("GET", `${path}/execute/${plan.id}`);
  if (status["state"] !== "done") return say(`after its end it is answered with ${code} ${JSON.stringify(status).slice(0, 300)}`);
  const now = status["result"] as ExecutionResult;
  if (result !== undefined && !isDeepStrictEqual(calm(now), calm(result)))
    say(`its result is another one now: ${differ(JSON.stringify(now), JSON.stringify(result))}`);
  if (frames === undefined) return;
  const again = await client.stream(`${path}/execute/${plan.id}/stream`, () => undefined);
  if (!isDeepStrictEqual(again.map(calmFrame), frames.map(calmFrame)))
    say(`its stream is another one now: ${differ(JSON.stringify(again), JSON.stringify(frames))}`);
}

/** `state_kept` is false exactly where the variables were lost: for the execution that lost them, else for the next one. */
function judgeVariables(told: Told[], marks: Map<string, Mark>, faults: string[]): void {
  const ran = told.filter(({ plan }) => marks.has(plan.id));
  for (const [index, { plan, result }] of ran.entries()) {
    const mark = marks.get(plan.id)!;
    const previous = ran[index - 1];
    const before = previous && marks.get(previous.plan.id)!;
    const next = ran[index + 1];
    const isNextOther = next === undefined || marks.get(next.plan.id)!.pid !== mark.pid;
    if (result?.state_kept === false && !isNextOther && before?.pid === mark.pid) {
      faults.push(`${plan.id}: told that variables were lost, and they were there before and after`);
    }
    if (previous === undefined || before === undefined) continue;
    // Those in between never reached their first line; they may have told it.
    const between = told.slice(told.indexOf(previous), told.findIndex((one) => one.plan.id === plan.id) + 1);
    const isLossTold = between.some((one) => one.result?.state_kept === false);
    if (before.pid !== mark.pid && !isLossTold)
      faults.push(`${plan.id}: the variables of ${previous.plan.id} are lost, and nobody was told`);
    if (before.pid === mark.pid && mark.count !== before.count + 1)
      faults.push(`${plan.id}: its variables are not those of ${previous.plan.id}`);
  }
}

function differ(text: string, expected: string): string {
  let at = 0;
  while (at < text.length && text[at] === expected[at]) at += 1;
  const part = (whole: string): string => JSON.stringify(whole.slice(Math.max(0, at - 40), at + 120));
  return `${text.length} characters instead of ${expected.length}, other ones from ${at}: ${part(text)}, not ${part(expected)}`;
}
