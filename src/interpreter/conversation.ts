/** What was said and done so far, and as much of it as the model can take: older output is shortened first, then left out. */
import type { CodeCall, ModelMessage } from "./model/language-model.ts";
import { shorten } from "./result-text.ts";

/** What came of a call. */
interface Output {
  callId: string;
  text: string;
  /** Data URLs. */
  images: string[];
}

/** One reply of the model, with the output of its code. */
interface Step {
  text: string;
  calls: CodeCall[];
  outputs: Output[];
}

/** A question and everything up to its answer. */
interface Turn {
  /** What the model is told beside the question. */
  notes: string[];
  question: string;
  steps: Step[];
}

/** How much is left of what. */
interface Cut {
  /** Turns and steps of the last turn that are left out. */
  turns: number;
  steps: number;
  /** Characters of outputs: of older ones, and of the last two. */
  older: number;
  latest: number;
}

const LEAST_CHARACTERS = 4_000;
/** What an image counts for, roughly as services do. */
const IMAGE_CHARACTERS = 4_000;
const LATEST_STEPS = 2;

/** A conversation. */
export class Conversation {
  readonly #prompt: (withTool: boolean) => string;
  #turns: Turn[] = [];
  #notes: string[] = [];
  #limit: number;
  #takesImages: boolean;

  /** @param limit Characters that a request may have, roughly. */
  constructor(prompt: (withTool: boolean) => string, limit: number, takesImages: boolean) {
    this.#prompt = prompt;
    this.#limit = limit;
    this.#takesImages = takesImages;
  }

  /** Whether figures are of use. */
  get takesImages(): boolean {
    return this.#takesImages;
  }

  /** Tells the model something with the next question. */
  note(text: string): void {
    this.#notes.push(text);
  }

  ask(question: string): void {
    this.#turns.push({ notes: this.#notes, question, steps: [] });
    this.#notes = [];
  }

  addReply(text: string, calls: CodeCall[]): void {
    this.#turns.at(-1)?.steps.push({ text, calls, outputs: [] });
  }

  addOutput(callId: string, text: string, images: string[] = []): void {
    this.#turns.at(-1)?.steps.at(-1)?.outputs.push({ callId, text, images });
  }

  /** Ends a turn: calls without an output get this one, since services refuse a call that nobody answered. */
  endTurn(output: string): void {
    const turn = this.#turns.at(-1);
    const step = turn?.steps.at(-1);
    for (const { id } of step?.calls ?? []) {
      if (step?.outputs.every(({ callId }) => callId !== id) === true) step.outputs.push({ callId: id, text: output, images: [] });
    }
    // A question that got no reply was never asked.
    if (turn?.steps.length !== 0) return;
    this.#turns.pop();
    this.#notes.unshift(...turn.notes);
  }

  forget(): void {
    this.#turns = [];
    this.#notes = [];
  }

  /** Leaves out images from now on. */
  dropImages(): void {
    this.#takesImages = false;
  }

  /**
   * Makes do with less from now on, when the service says that it was too much.
   * @returns false where there is nothing left to leave out.
   */
  shrink(withTool: boolean): boolean {
    const size = sizeOf(this.messages(withTool));
    this.#limit = Math.max(LEAST_CHARACTERS, Math.floor(size / 2));
    return sizeOf(this.messages(withTool)) < size;
  }

  /** The request's messages, the longest version that fits. */
  messages(withTool: boolean): ModelMessage[] {
    let messages: ModelMessage[] = [];
    for (const cut of this.#cuts()) {
      messages = this.#render(cut, withTool);
      if (sizeOf(messages) <= this.#limit) break;
    }
    return messages;
  }

  *#cuts(): Generator<Cut> {
    const whole = Number.POSITIVE_INFINITY;
    yield { turns: 0, steps: 0, older: whole, latest: whole };
    yield { turns: 0, steps: 0, older: 1_000, latest: whole };
    yield { turns: 0, steps: 0, older: 200, latest: whole };
    const turns = Math.max(0, this.#turns.length - 1);
    for (let count = 1; count <= turns; count += 1) yield { turns: count, steps: 0, older: 200, latest: whole };
    yield { turns, steps: 0, older: 200, latest: 2_000 };
    const steps = this.#turns.at(-1)?.steps.length ?? 0;
    for (let count = 1; count < steps; count += 1) yield { turns, steps: count, older: 200, latest: 2_000 };
    yield { turns, steps: Math.max(0, steps - 1), older: 200, latest: 500 };
  }

  #render(cut: Cut, withTool: boolean): ModelMessage[] {
    const kept = this.#turns.slice(cut.turns);
    const latest = new Set(kept.flatMap(({ steps }) => steps).slice(-LATEST_STEPS));
    const messages: ModelMessage[] = [{ role: "system", text: this.#prompt(withTool) }];
    for (const [index, { notes, question, steps }] of kept.entries()) {
      const skipped = index === kept.length - 1 ? cut.steps : 0;
      const isCut = (index === 0 && cut.turns > 0) || skipped > 0;
      const remarks = [...(isCut ? [LEFT_OUT] : []), ...notes].map((remark) => `(${remark})\n`).join("");
      messages.push({ role: "user", text: remarks + question });
      for (const step of steps.slice(skipped)) {
        const limit = latest.has(step) ? cut.latest : cut.older;
        messages.push(...(withTool ? toolMessages(step, limit) : fencedMessages(step, limit)), ...this.#images(step, latest));
      }
    }
    return withoutNeighbours(messages);
  }

  #images(step: Step, latest: Set<Step>): ModelMessage[] {
    const images = this.#takesImages && latest.has(step) ? step.outputs.flatMap((output) => output.images) : [];
    return images.length === 0 ? [] : [{ role: "user", text: "The figures that this code made:", images }];
  }
}

const LEFT_OUT = "Earlier parts of this conversation were left out; the kernel's variables are still there.";

function toolMessages({ text, calls, outputs }: Step, limit: number): ModelMessage[] {
  return [
    { role: "assistant", text, calls },
    ...outputs.map((output) => ({ role: "tool" as const, callId: output.callId, text: shorten(output.text, limit) })),
  ];
}

function fencedMessages({ text, calls, outputs }: Step, limit: number): ModelMessage[] {
  const blocks = calls.map(({ code }) => `\`\`\`python\n${code}\n\`\`\``);
  const reply = [text, ...blocks].filter((part) => part !== "").join("\n");
  const output = outputs.map((each) => `Output of the code:\n${shorten(each.text, limit)}`).join("\n\n");
  return [{ role: "assistant", text: reply, calls: [] }, ...(output === "" ? [] : [{ role: "user" as const, text: output }])];
}

/** Some models' templates insist on turns: two messages of the user's in a row become one. */
function withoutNeighbours(messages: ModelMessage[]): ModelMessage[] {
  const merged: ModelMessage[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (message.role !== "user" || last?.role !== "user") merged.push(message);
    else
      merged[merged.length - 1] = {
        role: "user",
        text: `${last.text}\n\n${message.text}`,
        images: [...(last.images ?? []), ...(message.images ?? [])],
      };
  }
  return merged;
}

function sizeOf(messages: ModelMessage[]): number {
  return messages.reduce((sum, message) => {
    const code = message.role === "assistant" ? message.calls.reduce((length, call) => length + call.code.length, 0) : 0;
    const images = message.role === "user" ? (message.images ?? []).length * IMAGE_CHARACTERS : 0;
    return sum + message.text.length + code + images;
  }, 0);
}
