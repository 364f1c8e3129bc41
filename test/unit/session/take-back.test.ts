/** What a lost kernel had written belongs to the execution that it ran: once, in its order and before its end. */
import { expect, test } from "vitest";
import { WireCodec } from "../../../src/kernel/wire.ts";
import type { LastOutput, SentMessage } from "../../../src/kernel/last-output.ts";
import type { FoundKernel, LiveKernel } from "../../../src/session/live-kernel.ts";
import { readEntries } from "../../../src/session/journal/journal-entry.ts";
import { FakeKernels, type FakeLaunch } from "../../helpers/fake-kernels.ts";
import type { Session } from "../../../src/session/session.ts";
import { openStore, run, temporaryFolder } from "../../helpers/fake-session.ts";
import { journalOf, writeSession, WRITTEN_RECORD } from "../../helpers/written-session.ts";

const KEY = "key-1";
const PID = 1000;
const REQUEST = { executionId: "it", code: "1", timeoutMs: null, allowInput: false };

/** The earlier server had stored three messages: busy, the input and a text. */
const JOURNAL = [
  { version: 2 },
  { of: 1, kind: "accepted", index: 1, queuedAt: "2026-01-01T00:00:01.000Z", repeat: null, request: REQUEST },
  { of: 1, kind: "sent", messageId: "m", startedAt: "2026-01-01T00:00:02.000Z", kernel: PID },
  { of: 1, kind: "stdout", id: 1, count: 3, text: "stored " },
];

const LAST: LastOutput = {
  sent: [sent(2, "m", "stored "), sent(3, "m", "sent "), sent(4, "another", "foreign "), sent(4, "m", "sent too ")],
  unsent: [
    { messageId: "m", name: "stdout", text: "printed" },
    { messageId: "another", name: "stdout", text: "foreign" },
  ],
};

test("also where it died before the server came", async () => {
  expect(await takenBack(async () => ({ lastOutput: LAST }))).toEqual(["stored ", "sent ", "sent too ", "printed"]);
});

test.each([
  ["died when it had been found", ({ process }: FakeLaunch) => process.die()],
  ["does not answer any more", (_: FakeLaunch, { client }: LiveKernel) => client.close()],
])("also where it %s", async (_what, onAsked) => {
  const kernels = new FakeKernels();
  const reconnect = async (): Promise<FoundKernel> => {
    const kernel = await kernels.starter()({ kernelName: "python3", sessionId: "s1", cwd: "/tmp", env: {}, logFile: "/tmp/log" });
    const launch = kernels.last;
    Object.assign(launch.process, { lastOutput: () => launch.process.exited.then(() => LAST) });
    launch.kernel.on("taskweaver_attach_request", () => onAsked(launch, kernel));
    return { kernel };
  };
  expect(await takenBack(reconnect)).toEqual(["stored ", "sent ", "sent too ", "printed"]);
});

test("a kernel of another language goes on with the session, and nobody can tell how its code ended", async () => {
  const kernels = new FakeKernels();
  kernels.kernelOptions = { kernelInfo: { taskweaver_protocol: undefined } };
  const reconnect = async (): Promise<FoundKernel> => ({
    kernel: await kernels.starter()({ kernelName: "bash", sessionId: "s1", cwd: "/tmp", env: {}, logFile: "/tmp/log" }),
  });
  const session = await recovered(reconnect);
  const execution = session.execution("it");
  await execution.done;
  expect(execution.end).toMatchObject({ reason: "executor_lost", stateKept: true });
  const next = run(session, "next");
  await next.done;
  expect(next.end).toMatchObject({ reason: "completed", stateKept: true });
  expect([kernels.launches.length, kernels.alive]).toEqual([1, 1]);
});

/** The text of the execution, as readers of its events get it; it is told to have died with its kernel. */
async function takenBack(reconnect: () => Promise<FoundKernel>): Promise<string[]> {
  const execution = (await recovered(reconnect)).execution("it");
  await execution.done;
  expect(execution.end).toMatchObject({ reason: "kernel_died", stateKept: false });
  const texts: string[] = [];
  for await (const entry of readEntries(execution.journal, "stdout", "end")) {
    if (entry.kind === "end") return texts;
    texts.push(entry.text);
  }
  throw new Error("the end is not written down");
}

async function recovered(reconnect: () => Promise<FoundKernel>): Promise<Session> {
  const workDirectory = await temporaryFolder();
  const connection = { transport: "ipc", ip: "/nowhere", key: KEY };
  const kernel = { pid: PID, startedAt: null, connection, language: "python", interruptMode: "signal", logFile: "", isPrepared: true };
  await writeSession(workDirectory, JSON.stringify({ ...WRITTEN_RECORD, kernel }), journalOf(JOURNAL));
  const { store } = await openStore({ workDirectory, reconnect });
  await store.recover();
  return store.get("s1");
}

function sent(number: number, messageId: string, text: string): SentMessage {
  const header = { msg_id: `k_${number}`, session: "k", username: "kernel", date: "", msg_type: "stream", version: "5.4" };
  const content = { name: "stdout", text };
  const message = { header, parent_header: { msg_id: messageId }, metadata: {}, content, buffers: [] };
  return { number, lostBefore: 0, frames: new WireCodec(KEY).encode(message).map((frame) => Buffer.from(frame)) };
}
