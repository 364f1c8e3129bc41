/** The tool that runs code, and those that look at and end what runs. */
import { setTimeout as delay } from "node:timers/promises";
import { Type } from "typebox";
import { ExecutionId, SessionId } from "../../api/index.ts";
import { isFault, type Execution, type ExecutionResult } from "../../client/index.ts";
import { startSession } from "../default-session.ts";
import { executionResult, textsOf } from "../execution-result.ts";
import { ProgressTeller } from "../progress-teller.ts";
import { cut, MOST_CHARACTERS } from "../shorten.ts";
import { failure, text, type Tool, type ToolCall } from "../tool.ts";

const INTERRUPT_AGAIN_MS = 50;

const sessionId = Type.Optional(
  Type.Unsafe<string>({
    ...SessionId,
    description: "The session to use, made where there is none of this name. Leave it out for the session of this conversation.",
  }),
);

const RunCodeInput = Type.Object(
  {
    code: Type.String({ description: "Python source, as in a notebook cell: the value of the last expression comes back" }),
    session_id: sessionId,
    timeout_seconds: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 86_400,
        description: "The code is interrupted after this time; without, it may take as long as it likes",
      }),
    ),
  },
  { additionalProperties: false },
);

/** `run_code` */
export const runCode: Tool<typeof RunCodeInput> = {
  name: "run_code",
  title: "Run Python code",
  description: `Runs Python in a stateful Jupyter kernel and returns what it printed, the value of its last expression, figures as images, and links to files.
Variables, imports and files persist from call to call in the same session, so work in small steps and build on earlier results instead of repeating them.
numpy, pandas and matplotlib are installed; install more with "!pip install NAME". Show figures with plt.show(), tables and pictures with display(...).
Write files into the current folder. input() is not available. An error comes back as a traceback: read it, mend the code, run it again; variables are kept.
Every result names its session_id: pass it on to continue in that session from another place.`,
  input: RunCodeInput,
  annotations: { destructiveHint: true, idempotentHint: false, openWorldHint: true },
  async run({ code, session_id, timeout_seconds }, call) {
    const id = await call.defaultSession.idFor(call.client, session_id);
    const run = (): Promise<ExecutionResult> => execute(call, id, code, timeout_seconds);
    const result = await run().catch(async (error: unknown) => {
      if (!isFault(error, "session_not_found")) throw error;
      await startSession(call.client, id);
      return run();
    });
    return executionResult(id, result);
  },
};

/** Runs it; tells the output as it comes; a call that is taken back interrupts the code. */
async function execute(
  { client, signal, tell }: ToolCall,
  id: string,
  code: string,
  timeoutSeconds: number | undefined,
): Promise<ExecutionResult> {
  signal.throwIfAborted();
  const teller = tell === undefined ? undefined : new ProgressTeller(tell);
  const unheard = new AbortController();
  const execution = client.executeCode(id, code, {
    timeoutMs: null,
    signal: unheard.signal,
    allowInput: false,
    ...(timeoutSeconds === undefined ? {} : { executionTimeoutMs: timeoutSeconds * 1000 }),
    onStdout: (output) => teller?.add(output),
    onStderr: (output) => teller?.add(output),
  });
  const over = new AbortController();
  // Nobody hears the result any more; whoever waited for it could wait for a server that is about to end.
  const interrupt = (): void => void interruptOnceKnown(execution, client, over.signal).finally(() => unheard.abort());
  signal.addEventListener("abort", interrupt);
  try {
    return await execution;
  } finally {
    signal.removeEventListener("abort", interrupt);
    over.abort();
    teller?.close();
  }
}

/** A call may be taken back before the server knows of its execution. Where that is over there is nothing to interrupt. */
async function interruptOnceKnown({ sessionId: id, executionId }: Execution, client: ToolCall["client"], over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      await client.interrupt(id, executionId);
      return;
    } catch (error) {
      if (!isFault(error, "execution_not_found")) return;
      await delay(INTERRUPT_AGAIN_MS, undefined, { signal: over }).catch(() => undefined);
    }
  }
}

const ReadOutputInput = Type.Object(
  {
    session_id: SessionId,
    execution_id: ExecutionId,
    name: Type.Unsafe<"stdout" | "stderr" | "value" | "error">({
      type: "string",
      enum: ["stdout", "stderr", "value", "error"],
      description: "Which text of the result",
    }),
    offset: Type.Optional(Type.Integer({ minimum: 0, description: "Where to begin, in characters; 0 by default" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: `How many characters; ${MOST_CHARACTERS} by default` })),
  },
  { additionalProperties: false },
);

/** `read_output` */
export const readOutput: Tool<typeof ReadOutputInput> = {
  name: "read_output",
  title: "Read on in long output",
  description: `Returns a part of the output of an earlier run_code call whose result was shortened. The shortened result says which execution_id, name and offset to
ask for. Prefer to let code print less (head(), summaries) over reading everything.`,
  input: ReadOutputInput,
  annotations: { readOnlyHint: true },
  async run({ session_id, execution_id, name, offset = 0, limit = MOST_CHARACTERS }, { client, signal }) {
    const { result, state } = await client.getExecution(session_id, execution_id, { signal });
    if (result === undefined) return failure(`The execution is ${state}: its output can be read when it is done.`);
    const whole = textsOf(result)[name];
    const part = cut(whole, offset, Math.min(offset + limit, whole.length));
    const end = offset + part.length;
    return text(
      `${name}, characters ${Math.min(offset, whole.length)} to ${end} of ${whole.length}${end < whole.length ? `; read on with offset ${end}` : ""}:`,
      part,
    );
  },
};

const InterruptInput = Type.Object(
  {
    session_id: sessionId,
    execution_id: Type.Optional(Type.Unsafe<string>({ ...ExecutionId, description: "By default what the session runs now" })),
  },
  { additionalProperties: false },
);

/** `interrupt` */
export const interrupt: Tool<typeof InterruptInput> = {
  name: "interrupt",
  title: "Interrupt running code",
  description: `Interrupts code that runs in a session (KeyboardInterrupt), for example code that hangs or that another client started. Variables are kept.
Code that does not react is ended with its kernel after a while.`,
  input: InterruptInput,
  annotations: { destructiveHint: true, idempotentHint: true },
  async run({ session_id, execution_id }, { client, defaultSession, signal }) {
    const id = session_id ?? defaultSession.id;
    const running = execution_id ?? (await client.listExecutions(id, { signal })).find(({ state }) => state === "running")?.execution_id;
    if (running === undefined) return text(`Nothing runs in the session ${id}.`);
    const { state } = await client.interrupt(id, running, { signal });
    return text(`The execution ${running} of the session ${id} was told to end (${state}).`);
  },
};
