/** An execution as the caller holds it: await it for the result, or iterate over its events. */
import type { Artifact, ExecutionEvent, ExecutionResult } from "../api/index.ts";
import type { Connection } from "./connection.ts";
import { ExecutionClientError, isFault } from "./error.ts";
import { executionEvents, pathOfExecution, type BeginRequest, type ExecutionAddress } from "./execution-events.ts";
import { deadline, type Deadline } from "./waiting.ts";

/** What code asks for with `input()`. */
export interface InputPrompt {
  prompt: string;
  /** Whether the answer is to be hidden (`getpass`). */
  password: boolean;
}

/** Told of the events as they come. A returned promise is waited for; what is thrown ends the wait and rejects it. */
export interface ExecutionHandlers {
  onStdout?: ((text: string) => void | Promise<void>) | undefined;
  onStderr?: ((text: string) => void | Promise<void>) | undefined;
  /** A display that updates itself comes again, with the same `display_id`. */
  onArtifact?: ((artifact: Artifact) => void | Promise<void>) | undefined;
  onResult?: ((result: ExecutionResult) => void | Promise<void>) | undefined;
  /**
   * Answers `input()`; undefined leaves it unanswered.
   * @param signal Aborts when the execution ends while the answer is still awaited.
   */
  onInputRequest?: ((request: InputPrompt, signal: AbortSignal) => string | undefined | Promise<string | undefined>) | undefined;
  /** Nothing listens at the URL any more, in the middle of the execution: who can start the server again may do so here. */
  onServerGone?: (() => void | Promise<void>) | undefined;
  /** Every event, before the handler of its own. */
  onEvent?: ((event: ExecutionEvent) => void | Promise<void>) | undefined;
}

/** How an execution is followed. */
export interface FollowOptions extends ExecutionHandlers {
  /** Ends the wait; the execution goes on. */
  signal?: AbortSignal | undefined;
  /** Ends the wait after this time, never the execution; null for no limit. The client's own by default. */
  timeoutMs?: number | null | undefined;
}

/** Events held for an iterator that is slower than the stream; past it the stream waits. */
const MOST_HELD_EVENTS = 256;

/** One execution. Begins at once; await it for its result, or iterate over its events. */
export class Execution implements PromiseLike<ExecutionResult>, AsyncIterable<ExecutionEvent> {
  readonly sessionId: string;
  readonly executionId: string;
  readonly #connection: Connection;
  readonly #handlers: ExecutionHandlers;
  readonly #clock: Deadline;
  readonly #ended = new AbortController();
  readonly #completion: Promise<ExecutionResult>;
  readonly #hasHandlers: boolean;
  readonly #held: ExecutionEvent[] = [];
  #use: "undecided" | "awaited" | "iterated" = "undecided";
  #isBounded = true;
  #wakeReader: () => void = () => undefined;
  #wakeWriter: () => void = () => undefined;
  #failure: { error: unknown } | null = null;

  /** @param begin The code to run; null to follow an execution that exists. */
  constructor(connection: Connection, address: ExecutionAddress, begin: BeginRequest | null, options: FollowOptions) {
    this.sessionId = address.sessionId;
    this.executionId = address.executionId;
    this.#connection = connection;
    this.#handlers = options;
    this.#hasHandlers = [options.onStdout, options.onStderr, options.onArtifact, options.onResult, options.onEvent].some(Boolean);
    const timeoutMs = options.timeoutMs === undefined ? connection.timeoutMs : options.timeoutMs;
    this.#clock = deadline(options.signal, timeoutMs, () => timeoutSentence(address, timeoutMs));
    const following = { begin, clock: this.#clock, onServerGone: () => this.#tellGone() };
    this.#completion = this.#follow(executionEvents(connection, address, following));
    // Whoever neither awaits nor iterates does not want to know; an unhandled rejection would end the process.
    this.#completion.catch(() => undefined);
  }

  /** The result; rejects with an `ExecutionClientError` on a fault. Code that fails is a result like any other. */
  // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what it is for
  then<Value = ExecutionResult, Other = never>(
    onResult?: ((result: ExecutionResult) => Value | PromiseLike<Value>) | null,
    onFault?: ((reason: unknown) => Other | PromiseLike<Other>) | null,
  ): Promise<Value | Other> {
    if (this.#use === "undecided") {
      this.#use = "awaited";
      this.#held.length = 0;
    }
    this.#isBounded = false;
    this.#wakeWriter();
    return this.#completion.then(onResult, onFault);
  }

  /**
   * The events, from the first; leaving the loop ends the wait, not the execution.
   * @throws TypeError when they are already given to handlers, awaited or iterated.
   */
  [Symbol.asyncIterator](): AsyncIterator<ExecutionEvent, void> {
    if (this.#hasHandlers) throw new TypeError("The events of this execution go to its handlers; leave those out to iterate.");
    if (this.#use !== "undecided") throw new TypeError(`The events of this execution are already ${this.#use}.`);
    this.#use = "iterated";
    return this.#iterate();
  }

  async *#iterate(): AsyncGenerator<ExecutionEvent, void> {
    let isDone = false;
    try {
      for (;;) {
        const event = this.#held.shift();
        if (event !== undefined) {
          this.#wakeWriter();
          isDone = event.event === "done";
          yield event;
          if (isDone) return;
        } else if (this.#ended.signal.aborted) {
          await this.#completion;
          return;
        } else {
          await new Promise<void>((resolve) => (this.#wakeReader = resolve));
        }
      }
    } finally {
      if (!isDone)
        this.#clock.cancel(new ExecutionClientError("aborted", "The events of the execution were not read to their end; it goes on."));
      this.#wakeWriter();
    }
  }

  async #follow(events: AsyncGenerator<ExecutionEvent>): Promise<ExecutionResult> {
    let result: ExecutionResult | null = null;
    try {
      for await (const event of events) {
        await this.#handle(event);
        if (event.event === "result") result = event.data;
        await this.#hold(event);
      }
      if (result === null) throw new ExecutionClientError("wrong_server", "The execution's stream ended without a result.");
      return result;
    } catch (error) {
      // A handler's own error passes as it is.
      throw this.#failure === null ? error : this.#failure.error;
    } finally {
      this.#clock.clear();
      this.#ended.abort();
      this.#wakeReader();
    }
  }

  async #hold(event: ExecutionEvent): Promise<void> {
    if (this.#hasHandlers || this.#use === "awaited") return;
    this.#held.push(event);
    this.#wakeReader();
    while (this.#isBounded && this.#held.length >= MOST_HELD_EVENTS && !this.#clock.signal.aborted) {
      await this.#room();
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#clock.signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#wakeWriter = wake;
      this.#clock.signal.addEventListener("abort", wake, { once: true });
    });
  }

  async #handle(event: ExecutionEvent): Promise<void> {
    const handlers = this.#handlers;
    try {
      await handlers.onEvent?.(event);
      if (event.event === "output") await (event.data.type === "stdout" ? handlers.onStdout : handlers.onStderr)?.(event.data.text);
      else if (event.event === "artifact") await handlers.onArtifact?.(event.data);
      else if (event.event === "result") await handlers.onResult?.(event.data);
      // Not waited for: output goes on, and an interrupt ends the execution, while somebody thinks about the answer.
      else if (event.event === "input_request") void this.#answer(event.data);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  async #tellGone(): Promise<void> {
    try {
      await this.#handlers.onServerGone?.();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  async #answer(request: InputPrompt): Promise<void> {
    try {
      const text = await this.#handlers.onInputRequest?.(request, this.#ended.signal);
      if (text === undefined || this.#ended.signal.aborted) return;
      const path = pathOfExecution(this, "input");
      await this.#connection.json("POST", path, { json: { text }, signal: this.#ended.signal });
    } catch (error) {
      // Somebody else answered, or the execution ended first.
      if (this.#ended.signal.aborted || isFault(error, "no_input_requested", "execution_done")) return;
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#clock.cancel(error);
  }
}

function timeoutSentence({ sessionId, executionId }: ExecutionAddress, timeoutMs: number | null): string {
  return `The execution ${executionId} of the session ${sessionId} did not end within ${timeoutMs} ms. It goes on: read it later with getExecution, end it with interrupt, or wait longer (timeoutMs, execution.server.timeout).`;
}
