/** A reply while it is being written: words and code apart, whether the code comes by a tool call or in a fenced block. */
import { randomId } from "../client/random-id.ts";
import type { Emit } from "./events.ts";
import { CodeArgumentReader, type ReadArgument } from "./model/code-argument.ts";
import { FenceScanner } from "./model/fenced-code.ts";
import { CODE_TOOL, type ReplyPart } from "./model/language-model.ts";
import { ThoughtFilter } from "./model/thinking.ts";

/** Code that the model asked for, or what is wrong with how it did. */
export interface AskedCode {
  id: string;
  argument: ReadArgument;
}

/** One reply; shows words and code as they come. */
export class WrittenReply {
  readonly #show: (text: string) => Promise<void>;
  readonly #emit: Emit;
  readonly #thoughts = new ThoughtFilter();
  readonly #fences: FenceScanner | null;
  readonly #fencedId = newCallId();
  #fencedCode = "";
  readonly #calls = new Map<string, { reader: CodeArgumentReader; name: string; code: string }>();

  constructor(withTool: boolean, show: (text: string) => Promise<void>, emit: Emit) {
    this.#fences = withTool ? null : new FenceScanner();
    this.#show = show;
    this.#emit = emit;
  }

  get isComplete(): boolean {
    return this.#fences?.isDone === true;
  }

  /** Whether no code was asked for. */
  get isEmpty(): boolean {
    return this.#calls.size === 0 && this.#fencedCode === "";
  }

  async take(part: Exclude<ReplyPart, { kind: "end" }>): Promise<void> {
    if (part.kind === "text") await this.#takeText(this.#thoughts.push(part.text));
    else await this.#takeCall(part);
  }

  async finish(): Promise<void> {
    await this.#takeText(this.#thoughts.flush());
    await this.#takeFenced(this.#fences?.finish() ?? []);
  }

  /** The code asked for; what is complete is told. */
  async calls(isCutShort: boolean): Promise<AskedCode[]> {
    const asked: AskedCode[] = [...this.#calls].map(([id, { reader, name }]) => ({ id, argument: named(reader.finish(), name) }));
    if (this.#fencedCode.trim() !== "") asked.push({ id: this.#fencedId, argument: { code: this.#fencedCode } });
    const last = asked.at(-1);
    // Half a piece of code may well be valid Python.
    if (isCutShort && last !== undefined && (this.#fences?.isOpen ?? "problem" in last.argument)) last.argument = { problem: TOO_LONG };
    for (const { id, argument } of asked) {
      if ("code" in argument) await this.#emit("code", { callId: id, text: "", code: argument.code, isComplete: true });
    }
    return asked;
  }

  async #takeText(text: string): Promise<void> {
    if (text === "") return;
    if (this.#fences === null) await this.#show(text);
    else await this.#takeFenced(this.#fences.push(text));
  }

  async #takeFenced(parts: ReturnType<FenceScanner["push"]>): Promise<void> {
    for (const { kind, text } of parts) {
      if (kind === "text") {
        await this.#show(text);
        continue;
      }
      this.#fencedCode += text;
      await this.#emit("code", { callId: this.#fencedId, text, code: this.#fencedCode, isComplete: false });
    }
  }

  async #takeCall({ id, name, argumentsText }: Extract<ReplyPart, { kind: "call" }>): Promise<void> {
    const call = this.#calls.get(id) ?? { reader: new CodeArgumentReader(), name: "", code: "" };
    this.#calls.set(id, call);
    if (call.name === "") call.name = name;
    const text = call.reader.push(argumentsText);
    if (text === "") return;
    call.code += text;
    await this.#emit("code", { callId: id, text, code: call.code, isComplete: false });
  }
}

const TOO_LONG = "The reply was cut at the service's length limit before the code was complete: write shorter code, in several steps.";

/** Code is code, whatever the tool was called; without any, the name may be why. */
function named(argument: ReadArgument, name: string): ReadArgument {
  if ("code" in argument || name === CODE_TOOL.name || name === "") return argument;
  return { problem: `There is no tool "${name.slice(0, 100)}", only ${CODE_TOOL.name}; functions are called in its code.` };
}

/** For services that name no calls. */
export function newCallId(): string {
  return `call-${randomId(12)}`;
}
