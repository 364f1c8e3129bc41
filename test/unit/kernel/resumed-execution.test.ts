/** Executions that an earlier client started: what of them is delivered, and when they are done. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { Message } from "../../../src/kernel/messages.ts";
import { FakeKernel, type FakeMessageOptions } from "../../helpers/fake-kernel.ts";

test("what overtook the replay is not delivered twice, and the end that overtook it ends nothing before the output is here", async () => {
  const { told, kernel, client, execution, received } = await resumed();
  told("stream", { name: "stdout", text: "first" });
  told("status", { execution_state: "idle" });
  kernel.send("shell", "execute_reply", { status: "ok" }, PARENT);
  const isDone = vi.fn();
  void execution.done.then(isDone);
  await client.request("kernel_info_request", {});
  expect([received(), isDone.mock.calls]).toEqual([[], []]);

  told("taskweaver_replay", { first: 0, replay_id: "ours" });
  told("stream", { name: "stdout", text: "first" });
  told("stream", { name: "stdout", text: "last" });
  told("status", { execution_state: "idle" });
  expect((await execution.done).content.status).toBe("ok");
  expect(received()).toEqual(["first", "last"]);
});

test("a replay that another client had asked for is not taken for one's own; a kernel of before replays had ids is believed", async () => {
  const { told, execution, received } = await resumed();
  told("taskweaver_replay", { first: 0, replay_id: "another's" });
  told("stream", { name: "stdout", text: "first" });
  told("taskweaver_replay", { first: 1 });
  told("stream", { name: "stdout", text: "last" });
  told("status", { execution_state: "idle" });
  told("execute_reply", { status: "ok" });
  await execution.done;
  expect(received()).toEqual(["last"]);
});

test("what the replay says of what came before it is told to the owner, and not believed where it is no number", async () => {
  const begins: unknown[] = [];
  const { told, execution } = await resumed((...begin) => void begins.push(begin));
  told("taskweaver_replay", { first: 7, replay_id: "ours", is_complete: false });
  told("taskweaver_replay", { first: 9, replay_id: "ours" });
  told("status", { execution_state: "idle" });
  told("execute_reply", { status: "ok" });
  await execution.done;
  const other = await resumed((...begin) => void begins.push(begin));
  other.told("taskweaver_replay", { first: "many" });
  await other.client.request("kernel_info_request", {});
  expect(begins).toEqual([
    [7, false],
    [0, true],
  ]);
});

test("a question is heard wherever it comes: on stdin before the replay, on iopub with it", async () => {
  const { told, kernel, execution, messages } = await resumed();
  kernel.send("stdin", "input_request", { prompt: "name?", password: false }, PARENT);
  told("taskweaver_replay", { first: 0, replay_id: "ours" });
  told("input_request", { prompt: "name?", password: false, number: 1 });
  told("status", { execution_state: "idle" });
  told("execute_reply", { status: "ok" });
  await execution.done;
  const questions = messages.filter(({ header }) => header.msg_type === "input_request");
  expect(questions.map(({ channel, content }) => [channel, content["number"]])).toEqual([
    ["stdin", undefined],
    ["stdin", 1],
  ]);
});

const PARENT: FakeMessageOptions = { parent: { msg_id: "earlier" } };

async function resumed(onBegin: (first: number, isComplete: boolean) => void = () => undefined) {
  const kernel = new FakeKernel();
  const client = await kernel.connect();
  onTestFinished(() => client.close());
  const messages: Message[] = [];
  const execution = client.resume("earlier", { id: "ours", onBegin }, { onMessage: (message) => void messages.push(message) });
  const told = (type: string, content: Record<string, unknown>): void => kernel.send("iopub", type, content, PARENT);
  const received = (): unknown[] => messages.flatMap(({ content }) => (content["text"] === undefined ? [] : [content["text"]]));
  return { kernel, client, execution, messages, told, received };
}
