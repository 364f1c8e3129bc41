/** A language model as the interpreter sees it: messages in, pieces of one reply out. */

/** Code that the model asked for. */
export interface CodeCall {
  /** Ties the output to the call. */
  id: string;
  code: string;
}

/** One message of a conversation, whatever the protocol. */
export type ModelMessage =
  | { role: "system"; text: string }
  /** @param images Data URLs. */
  | { role: "user"; text: string; images?: string[] }
  | { role: "assistant"; text: string; calls: CodeCall[] }
  | { role: "tool"; callId: string; text: string };

/** What the model is asked. */
export interface ModelRequest {
  messages: ModelMessage[];
  /** Offers {@link CODE_TOOL}; without, the messages say how code is to be written. */
  withTool: boolean;
}

/** A piece of a reply. The last one is `end`; a reply without it was cut. */
export type ReplyPart =
  | { kind: "text"; text: string }
  /** A piece of a call's arguments, which are JSON as a whole. */
  | { kind: "call"; id: string; name: string; argumentsText: string }
  | { kind: "end"; reason: "stop" | "length" | "filtered" };

/** Writes replies. */
export interface LanguageModel {
  /**
   * Asks once; nothing is repeated here.
   * @param signal Ends it.
   * @throws InterpreterError
   */
  reply(request: ModelRequest, signal: AbortSignal): AsyncIterable<ReplyPart>;
}

/** The one tool that a model is offered. */
export const CODE_TOOL = {
  name: "run_python",
  description:
    "Runs Python in the session's Jupyter kernel and returns what it printed, the value of its last expression, the traceback where it fails, and the names of figures and files it made. Variables, imports and files stay from call to call.",
  parameters: {
    type: "object",
    properties: { code: { type: "string", description: "The Python code, complete as it is to run." } },
    required: ["code"],
    additionalProperties: false,
  },
} as const;
