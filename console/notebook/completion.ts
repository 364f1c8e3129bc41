/** Completion in the editor: what the kernel offers, and the names in the code where it cannot be asked. */
import type { Completion, CompletionContext, CompletionResult, CompletionSource } from "@codemirror/autocomplete";
import { globalCompletion, localCompletionSource } from "@codemirror/lang-python";
import type { CompleteResponse } from "../../src/client/index.ts";
import { fromCodePoints, toCodePoints } from "./code-positions.ts";

/** Asks the kernel; the position counts code points. */
export type Complete = (code: string, cursorPosition: number, signal: AbortSignal) => Promise<CompleteResponse>;

const LONGEST_LABEL = 80;

/** Completes while a name or an attribute is typed, or where somebody asks for it. */
export function kernelCompletion(complete: Complete): CompletionSource {
  return async (context) => {
    const word = context.matchBefore(/[\w\u0080-\uffff]+$/);
    const isAttribute = context.matchBefore(/[\w\])"']\.\w*$/) !== null;
    if (!context.explicit && !isAttribute && (word === null || word.text.length < 2)) return null;
    const fromKernel = await ask(context, complete);
    // Who has gone on to another cell wants no list to open behind.
    if (context.aborted || context.view?.hasFocus === false) return null;
    if (fromKernel !== null) return fromKernel;
    return isAttribute ? null : (localCompletionSource(context) ?? globalCompletion(context));
  };
}

async function ask(context: CompletionContext, complete: Complete): Promise<CompletionResult | null> {
  const code = context.state.doc.toString();
  const asked = new AbortController();
  context.addEventListener("abort", () => asked.abort());
  try {
    const answer = await complete(code, toCodePoints(code, context.pos), asked.signal);
    return toResult(code, answer);
  } catch {
    // Whatever keeps the kernel from answering is shown elsewhere; typing goes on.
    return null;
  }
}

/** A kernel's answer as the editor takes it; null where it offers nothing. */
export function toResult(code: string, answer: CompleteResponse): CompletionResult | null {
  if (answer.matches.length === 0) return null;
  const from = fromCodePoints(code, answer.cursor_start);
  const options: Completion[] = [...new Set(answer.matches)].map((match) => ({ label: match, displayLabel: labelOf(match) }));
  return { from, to: fromCodePoints(code, answer.cursor_end), options, validFor: /^[\w\u0080-\uffff]*$/ };
}

/** Some completers repeat what stands before the dot. */
function labelOf(match: string): string {
  const name = /^[\w.]+\.(\w+)$/.exec(match)?.[1] ?? match;
  return name.length > LONGEST_LABEL ? `${name.slice(0, LONGEST_LABEL)}…` : name;
}
