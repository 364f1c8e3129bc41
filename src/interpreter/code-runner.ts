/** Where the interpreter's code runs: a session of an execution server, or something that behaves like one. */
import { isFault, type Artifact, type ExecutionResult, type ExecutionSession, type InputPrompt } from "../client/index.ts";
import { pause } from "../client/waiting.ts";

/** Told of an execution as it goes on. What is returned is waited for. */
export interface RunHandlers {
  onOutput(text: string, type: "stdout" | "stderr"): void | Promise<void> | undefined;
  onArtifact(artifact: Artifact): void | Promise<void> | undefined;
  /** Answers `input()`; absent where nobody is there to answer, and `input()` raises. */
  onInput?: ((request: InputPrompt, signal: AbortSignal) => string | undefined | Promise<string | undefined>) | undefined;
}

/** Runs code, one piece at a time. */
export interface CodeRunner {
  /** Runs code to its end. Code that fails is a result like any other. */
  run(code: string, handlers: RunHandlers): Promise<ExecutionResult>;
  /** Interrupts what runs; nothing where nothing does. */
  interrupt(): Promise<void>;
}

/** How a session runs the code. */
export interface SessionRunnerOptions {
  /** How long each piece of code may run until the server interrupts it; the server's setting by default. */
  executionTimeoutMs?: number | undefined;
}

/** An interrupt may be faster than the request that it is for. */
const INTERRUPT_TRIES = 50;
const INTERRUPT_PAUSE_MS = 100;

/** Runs code in a session. */
export function sessionRunner(session: ExecutionSession, options: SessionRunnerOptions = {}): CodeRunner {
  let running: string | null = null;
  return {
    run: async (code, handlers) => {
      const { onInput } = handlers;
      const execution = session.executeCode(code, {
        ...options,
        timeoutMs: null,
        onStdout: (text) => handlers.onOutput(text, "stdout"),
        onStderr: (text) => handlers.onOutput(text, "stderr"),
        onArtifact: (artifact) => handlers.onArtifact(artifact),
        ...(onInput === undefined ? {} : { onInputRequest: onInput }),
      });
      const { executionId } = execution;
      running = executionId;
      try {
        return await execution;
      } finally {
        if (running === executionId) running = null;
      }
    },
    interrupt: async () => {
      const executionId = running;
      for (let tries = 0; executionId !== null && running === executionId && tries < INTERRUPT_TRIES; tries += 1) {
        try {
          await session.interrupt(executionId);
          return;
        } catch (error) {
          if (isFault(error, "execution_done")) return;
          if (!isFault(error, "execution_not_found")) throw error;
          await pause(INTERRUPT_PAUSE_MS);
        }
      }
    },
  };
}
