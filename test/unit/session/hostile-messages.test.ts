/** A kernel that sends anything at all, well signed or not: executions end all the same, with what it sent rightly, and readers and journals hold. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MessageHeader } from "../../../src/kernel/messages.ts";
import { REQUIRED_FIELDS } from "../../../src/kernel/required-fields.ts";
import { renderResult } from "../../../src/session/result.ts";
import { SessionJournal } from "../../../src/session/journal/session-journal.ts";
import type { FakeKernel } from "../../helpers/fake-kernel.ts";
import { hold, openSession, resultOf, run, temporaryFolder } from "../../helpers/fake-session.ts";

const READER = { origin: "http://host", sessionId: "s1" };
const CHANNELS = ["iopub", "shell", "stdin", "control"] as const;

const fieldNames = [...new Set(Object.values(REQUIRED_FIELDS).flatMap((fields) => Object.keys(fields)))];
const mimeTypes = ["text/plain", "text/html", "image/png", "image/svg+xml", "application/json", "application/vnd.plotly.v1+json"];
const anything = fc.jsonValue();
const content = fc.oneof(
  fc.dictionary(fc.constantFrom(...fieldNames, "transient", "level", "tag", "message", "artifact"), anything, { maxKeys: 6 }),
  fc.record({
    data: fc.dictionary(fc.constantFrom(...mimeTypes), anything, { maxKeys: 3 }),
    metadata: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 2 }),
    transient: fc.oneof(fc.constant({}), fc.record({ display_id: anything })),
    execution_count: fc.oneof(fc.integer(), anything),
  }),
);
const types = [
  ...Object.keys(REQUIRED_FIELDS),
  "taskweaver_log",
  "taskweaver_artifact",
  "taskweaver_replay",
  "iopub_welcome",
  "unheard_of",
].filter(
  // These two say that it is over.
  (type) => type !== "execute_reply" && type !== "status",
);
const signed = fc.record({ channel: fc.constantFrom(...CHANNELS), type: fc.constantFrom(...types), content, isForged: fc.boolean() });
const frame = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.json(), fc.constant("<IDS|MSG>"), fc.constant("{}"));
const raw = fc.record({ channel: fc.constantFrom(...CHANNELS), frames: fc.array(frame, { maxLength: 9 }) });

test("an execution among arbitrary messages ends as its kernel says, and its result, its stream and its journal can be told", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(signed, raw), { maxLength: 12 }), async (messages) => {
      await among((kernel, parent) => {
        for (const message of messages) {
          if ("frames" in message) kernel.sendFrames(message.channel, message.frames);
          else
            kernel.send(message.channel, message.type, message.content, {
              parent,
              ...(message.isForged ? { key: "another" } : {}),
            });
        }
      });
    }),
    { numRuns: 60 },
  );
});

test.each(["display_data", "execute_result", "stream", "error", "clear_output", "taskweaver_log", "taskweaver_artifact"])(
  "a %s that is nested 20,000 levels deep in every field overflows no stack",
  async (type) => {
    const deep = "[".repeat(20_000) + "]".repeat(20_000);
    const names = ["name", "text", "traceback", "wait", "level", "tag", "message", "artifact", "transient", "metadata"];
    const fields = [...names.map((name) => `"${name}":${deep}`), ...mimeTypes.map((name) => `"${name}":${deep}`)].join(",");
    const contents = [
      `{${fields},"data":{${mimeTypes.map((name) => `"${name}":${deep}`).join(",")}},"metadata":{},"execution_count":1}`,
      `{"name":"stdout","text":"","traceback":${deep},"ename":"","evalue":"","data":{"application/json":${deep}},"metadata":{"a":${deep}},"execution_count":1}`,
    ];
    await among((kernel, parent) => {
      for (const text of contents) {
        const header = { msg_id: "m", msg_type: type, session: "s", username: "", date: "", version: "5.4" };
        const frames = [JSON.stringify(header), JSON.stringify(parent), "{}", text];
        const hmac = createHmac("sha256", kernel.connection.key);
        for (const part of frames) hmac.update(part);
        kernel.sendFrames("iopub", ["<IDS|MSG>", hmac.digest("hex"), ...frames]);
      }
    });
  },
);

/** Runs an execution in whose middle the kernel does this, and another one after it. */
async function among(act: (kernel: FakeKernel, parent: MessageHeader) => void): Promise<void> {
  const faults: unknown[] = [];
  const journal = new SessionJournal(await temporaryFolder(), { isTemporary: false, onFault: (error) => faults.push(error) });
  const { session, kernels } = await openSession({ journal });
  const held = hold(kernels);
  const execution = run(session, "x");
  const request = await held.next();
  const { kernel } = kernels.last;
  act(kernel, request.message.header);
  request.stream("stderr", "the end").reply().idle();
  const result = await resultOf(execution);
  expect(result.reason).toBe("completed");
  expect(result.stderr.join("").endsWith("the end")).toBe(true);
  expect(JSON.parse(renderResult(result, READER))).toMatchObject({ reason: "completed" });
  const events: string[] = [];
  for await (const { event } of execution.log.read()) events.push(event.event);
  expect(events.slice(-2)).toEqual(["result", "done"]);
  expect(faults).toEqual([]);
  kernel.onExecute((next) => void next.succeed());
  expect((await resultOf(run(session, "next"))).reason).toBe("completed");
  await session.close("The test is over.");
}
