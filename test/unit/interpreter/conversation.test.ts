/** A conversation that outgrows its bound: older output is shortened, then left out; calls and outputs stay together. */
import { describe, expect, it } from "vitest";
import { Conversation } from "../../../src/interpreter/conversation.ts";

const LONG = "0123456789".repeat(300);

function conversationOf(turns: number, steps: number, limit: number): Conversation {
  const conversation = new Conversation(() => "prompt", limit, true);
  for (let turn = 1; turn <= turns; turn += 1) {
    conversation.ask(`question ${turn}`);
    for (let step = 1; step <= steps; step += 1) {
      conversation.addReply("", [{ id: `call-${turn}-${step}`, code: "x" }]);
      conversation.addOutput(`call-${turn}-${step}`, `${turn}-${step} ${LONG}`);
    }
    if (turn < turns) conversation.addReply(`answer ${turn}`, []);
  }
  return conversation;
}

function sizeOf(messages: { text: string }[]): number {
  return messages.reduce((sum, { text }) => sum + text.length, 0);
}

describe("a conversation", () => {
  it("is sent whole while it fits", () => {
    const messages = conversationOf(2, 2, 100_000).messages(true);
    expect(messages.map(({ role }) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "tool",
      "assistant",
      "tool",
      "assistant",
      "user",
      "assistant",
      "tool",
      "assistant",
      "tool",
    ]);
    expect(sizeOf(messages)).toBeGreaterThan(12_000);
  });

  it("loses older output first, and keeps the latest whole", () => {
    const messages = conversationOf(2, 2, 9_000).messages(true);
    expect(messages).toHaveLength(12);
    expect(messages.at(-1)?.text).toBe(`2-2 ${LONG}`);
    expect(messages.at(-3)?.text).toBe(`2-1 ${LONG}`);
    expect(messages[3]?.text).toContain("characters left out");
  });

  it("then loses its oldest questions, which is said", () => {
    const messages = conversationOf(20, 2, 12_000).messages(true);
    expect(sizeOf(messages)).toBeLessThanOrEqual(12_000);
    expect(messages[1]?.text).toMatch(/^\(Earlier parts .*\)\nquestion \d+$/);
    expect(messages.at(-1)?.text).toBe(`20-2 ${LONG}`);
  });

  it("then loses the first steps of a long question, never a call without its output", () => {
    const messages = conversationOf(1, 40, 9_000).messages(true);
    expect(sizeOf(messages)).toBeLessThanOrEqual(9_000);
    expect(messages[1]?.text).toContain("question 1");
    const asked = messages.flatMap((message) => (message.role === "assistant" ? message.calls.map(({ id }) => id) : []));
    const answered = messages.flatMap((message) => (message.role === "tool" ? [message.callId] : []));
    expect(answered).toEqual(asked);
    expect(asked.at(-1)).toBe("call-1-40");
  });

  it("sends figures of the last steps only, and none where the model takes none", () => {
    const conversation = new Conversation(() => "", 100_000, true);
    conversation.ask("plot");
    for (const name of ["a", "b", "c"]) {
      conversation.addReply("", [{ id: name, code: "plot()" }]);
      conversation.addOutput(name, "", [`data:${name}`]);
    }
    const images = () => conversation.messages(true).flatMap((message) => (message.role === "user" ? (message.images ?? []) : []));
    expect(images()).toEqual(["data:b", "data:c"]);
    conversation.dropImages();
    expect(images()).toEqual([]);
  });

  it("without tools never has two messages of the user's in a row", () => {
    const conversation = new Conversation(() => "", 100_000, true);
    conversation.ask("plot");
    conversation.addReply("I plot.", [{ id: "c", code: "plot()" }]);
    conversation.addOutput("c", "files:\na.png", ["data:a"]);
    conversation.endTurn("");
    conversation.ask("and now?");
    expect(conversation.messages(false).slice(1)).toEqual([
      { role: "user", text: "plot" },
      { role: "assistant", text: "I plot.\n```python\nplot()\n```", calls: [] },
      {
        role: "user",
        text: "Output of the code:\nfiles:\na.png\n\nThe figures that this code made:\n\nand now?",
        images: ["data:a"],
      },
    ]);
  });

  it("shrinks while there is something to leave out", () => {
    const conversation = conversationOf(3, 3, 100_000);
    let last = sizeOf(conversation.messages(true));
    let times = 0;
    while (conversation.shrink(true)) {
      const size = sizeOf(conversation.messages(true));
      expect(size).toBeLessThan(last);
      last = size;
      times += 1;
    }
    expect(times).toBeGreaterThan(1);
    expect(last).toBeLessThan(6_000);
  });
});
