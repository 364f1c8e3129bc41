/** The client: every call of the contract's session API, with faults as sentences and streams that survive broken connections. */
import type {
  CompleteResponse,
  ExecutionList,
  ExecutionStatus,
  ExecutionSummary,
  FileInfo,
  FileList,
  Health,
  Lease,
  LoadPluginResponse,
  Notebook,
  SessionInfo,
  SessionList,
  StopSessionResponse,
  TestPluginResponse,
  UnloadPluginResponse,
  UpdateVariablesResponse,
} from "../api/index.ts";
import { Connection, pathOf, type CallOptions, type ConnectionOptions } from "./connection.ts";
import { download, type Download } from "./download.ts";
import { isFault } from "./error.ts";
import { Execution, type FollowOptions } from "./execution.ts";
import { pathOfExecution } from "./execution-events.ts";
import { notOurs } from "./faults.ts";
import { randomId } from "./random-id.ts";
import { ExecutionSession, type StartedSession } from "./session.ts";

/** How a session is started. */
export interface StartOptions extends CallOptions {
  /** Absolute path on the server; the session's own folder by default. */
  cwd?: string | undefined;
  /** A kernelspec's name; `python3` by default. */
  kernel?: string | undefined;
  /** Without a request for this long the session's kernel ends; 0: never. The server's setting by default. */
  idleTimeoutMs?: number | undefined;
  /** Environment variables of the kernel. */
  env?: Record<string, string> | undefined;
  /** Labels that the executor must have, behind a gateway. */
  requires?: string[] | undefined;
  /**
   * What to do where a session with this id exists.
   * @default "reuse"
   */
  ifExists?: "reuse" | "error" | undefined;
}

/** How code is executed. */
export interface ExecuteOptions extends FollowOptions {
  /** 1 to 128 of `A-Z a-z 0-9 . _ -`; a random one by default. Begins the names of the artifacts. */
  executionId?: string | undefined;
  /** How long the code may run until the server interrupts it; the server's setting by default. */
  executionTimeoutMs?: number | undefined;
  /** Whether `input()` may ask; true where `onInputRequest` is given. */
  allowInput?: boolean | undefined;
}

/** A plugin's source. */
export interface PluginSource {
  /** A Python identifier; what the session calls it by. */
  name: string;
  /** Python that registers one plugin. */
  code: string;
  /** What the plugin sees as `self.config`. */
  config?: Record<string, unknown> | undefined;
}

/** Bytes, text, a `Blob` (a `File` in browsers, `fs.openAsBlob` in Node) or a stream. */
export type UploadContent = Uint8Array<ArrayBuffer> | string | Blob | ReadableStream<Uint8Array<ArrayBuffer>>;

/** Talks to one execution server. Holds no connection open by itself; there is nothing to close. */
export class ExecutionClient {
  /** The server's URL. */
  readonly url: string;
  readonly #connection: Connection;

  /** @throws ExecutionClientError `invalid_option` */
  constructor(options: ConnectionOptions = {}) {
    this.#connection = new Connection(options);
    this.url = this.#connection.url;
  }

  /**
   * Asks who is there; needs no key.
   * @throws ExecutionClientError `connection_refused`, `unreachable`, or `wrong_server` where a stranger answers.
   */
  async health(options: CallOptions = {}): Promise<Health> {
    const health = await this.#connection.json<Partial<Health>>("GET", "/health", options);
    if (health.status !== "healthy" || typeof health.version !== "string" || typeof health.active_sessions !== "number") {
      throw notOurs(this.url, "its health is not in our form", 200);
    }
    return health as Health;
  }

  /**
   * Starts a session, or takes the one that has this id.
   * @param sessionId 1 to 128 of `A-Z a-z 0-9 . _ -`; a random one by default.
   */
  async start(sessionId: string = `session-${randomId(12)}`, options: StartOptions = {}): Promise<ExecutionSession> {
    const { cwd, kernel, idleTimeoutMs, env, requires, ifExists = "reuse", ...call } = options;
    const body = {
      session_id: sessionId,
      cwd,
      kernel,
      idle_timeout: idleTimeoutMs === undefined ? undefined : idleTimeoutMs / 1000,
      env,
      requires,
    };
    let wasRepeated = false;
    try {
      const made = await this.#connection.json<StartedSession>("POST", "/sessions", {
        ...call,
        json: body,
        // A second copy can only find the session of the first one.
        repeatable: true,
        onRetry: () => (wasRepeated = true),
      });
      return new ExecutionSession(this, sessionId, made, false);
    } catch (error) {
      if (!isFault(error, "session_exists") || (ifExists === "error" && !wasRepeated)) throw error;
    }
    return new ExecutionSession(this, sessionId, await this.getSessionInfo(sessionId, call), !wasRepeated);
  }

  /** A handle of a session that is known to exist; asks the server nothing. */
  session(sessionId: string): ExecutionSession {
    return new ExecutionSession(this, sessionId, {}, true);
  }

  /** Ends a session: its kernel, what runs in it, what the server knows of it. Its files stay. */
  async stop(sessionId: string, options: CallOptions = {}): Promise<StopSessionResponse> {
    let wasRepeated = false;
    try {
      const path = pathOf("sessions", sessionId);
      return await this.#connection.json("DELETE", path, { ...options, repeatable: true, onRetry: () => (wasRepeated = true) });
    } catch (error) {
      if (wasRepeated && isFault(error, "session_not_found")) return { session_id: sessionId, status: "stopped" };
      throw error;
    }
  }

  async getSessionInfo(sessionId: string, options: CallOptions = {}): Promise<SessionInfo> {
    return this.#connection.json("GET", pathOf("sessions", sessionId), options);
  }

  async listSessions(options: CallOptions = {}): Promise<SessionInfo[]> {
    return (await this.#connection.json<SessionList>("GET", "/sessions", options)).sessions;
  }

  /** Gives the session a fresh kernel; plugins and session variables are loaded again, Python variables are gone. */
  async restart(sessionId: string, options: CallOptions = {}): Promise<SessionInfo> {
    return this.#connection.json("POST", pathOf("sessions", sessionId, "restart"), options);
  }

  /**
   * Loads a plugin; one of the same name is replaced.
   * @throws ExecutionClientError `plugin_failed`, with the reason, where it does not load.
   */
  async loadPlugin(sessionId: string, plugin: PluginSource, options: CallOptions = {}): Promise<LoadPluginResponse> {
    const { name, code, config } = plugin;
    return this.#connection.json("POST", pathOf("sessions", sessionId, "plugins"), {
      ...options,
      json: { name, code, config },
      repeatable: true,
      mayTakeLong: true,
    });
  }

  async unloadPlugin(sessionId: string, name: string, options: CallOptions = {}): Promise<UnloadPluginResponse> {
    return this.#connection.json("DELETE", pathOf("sessions", sessionId, "plugins", name), options);
  }

  /** Runs the tests that a plugin registered; tests that fail are data. */
  async testPlugin(sessionId: string, name: string, options: CallOptions = {}): Promise<TestPluginResponse> {
    return this.#connection.json("POST", pathOf("sessions", sessionId, "plugins", name, "test"), options);
  }

  /** Sets session variables, from the next execution on; others stay. */
  async updateSessionVar(
    sessionId: string,
    variables: Record<string, string>,
    options: CallOptions = {},
  ): Promise<UpdateVariablesResponse> {
    return this.#connection.json("POST", pathOf("sessions", sessionId, "variables"), { ...options, json: { variables }, repeatable: true });
  }

  /**
   * Runs code. Await the answer for the result, or iterate over it for the events; handlers are told as they come.
   * Code that fails is a result with `is_success: false`; only faults are thrown.
   */
  executeCode(sessionId: string, code: string, options: ExecuteOptions = {}): Execution {
    const { executionId, executionTimeoutMs, allowInput, ...follow } = options;
    const begin = {
      code,
      timeout: executionTimeoutMs === undefined ? null : executionTimeoutMs / 1000,
      allow_input: allowInput ?? follow.onInputRequest !== undefined,
      isOwnId: executionId === undefined,
    };
    return new Execution(this.#connection, { sessionId, executionId: executionId ?? `exec-${randomId(12)}` }, begin, follow);
  }

  /** Follows an execution that was started before or by somebody else, from its first event. */
  followExecution(sessionId: string, executionId: string, options: FollowOptions = {}): Execution {
    return new Execution(this.#connection, { sessionId, executionId }, null, options);
  }

  /** The state of an execution, with its result once it is done. */
  async getExecution(sessionId: string, executionId: string, options: CallOptions = {}): Promise<ExecutionStatus> {
    return this.#connection.json("GET", pathOfExecution({ sessionId, executionId }), options);
  }

  /** The executions of a session, newest first, without their results. */
  async listExecutions(sessionId: string, options: CallOptions = {}): Promise<ExecutionSummary[]> {
    return (await this.#connection.json<ExecutionList>("GET", pathOf("sessions", sessionId, "executions"), options)).executions;
  }

  /**
   * Interrupts an execution; it ends with `KeyboardInterrupt`, or never starts where it is still queued.
   * @throws ExecutionClientError `execution_done` where there is nothing left to interrupt.
   */
  async interrupt(sessionId: string, executionId: string, options: CallOptions = {}): Promise<ExecutionStatus> {
    return this.#connection.json("POST", pathOfExecution({ sessionId, executionId }, "interrupt"), options);
  }

  /**
   * What could stand at the cursor; nothing while the kernel is busy or does not run.
   * @param cursorPosition In Unicode code points, as are the positions in the answer.
   */
  async complete(sessionId: string, code: string, cursorPosition: number, options: CallOptions = {}): Promise<CompleteResponse> {
    return this.#connection.json("POST", pathOf("sessions", sessionId, "complete"), {
      ...options,
      json: { code, cursor_pos: cursorPosition },
      repeatable: true,
    });
  }

  /** Answers an `input()` of an execution. */
  async sendInput(sessionId: string, executionId: string, text: string, options: CallOptions = {}): Promise<void> {
    await this.#connection.json("POST", pathOfExecution({ sessionId, executionId }, "input"), { ...options, json: { text } });
  }

  /**
   * Writes a file under the session's folder; whole or not at all.
   * @param path Relative; folders are made.
   */
  async uploadFile(sessionId: string, path: string, content: UploadContent, options: CallOptions = {}): Promise<FileInfo> {
    return this.#connection.json("PUT", `${pathOf("sessions", sessionId, "files")}${pathOf(...path.split("/"))}`, {
      ...options,
      body: content,
      headers: { "Content-Type": "application/octet-stream" },
      repeatable: !(content instanceof ReadableStream),
      mayTakeLong: true,
    });
  }

  /** The files under the session's folder. */
  async listFiles(sessionId: string, options: CallOptions = {}): Promise<FileInfo[]> {
    return (await this.#connection.json<FileList>("GET", pathOf("sessions", sessionId, "files"), options)).files;
  }

  /**
   * Opens a file under the session's folder.
   * @param fileName An artifact's `file_name`, or any path that `listFiles` gives.
   */
  async downloadArtifact(sessionId: string, fileName: string, options: CallOptions = {}): Promise<Download> {
    return download(this.#connection, sessionId, fileName, options);
  }

  /** The session so far as a notebook (nbformat 4.5), outputs included. */
  async exportNotebook(sessionId: string, options: CallOptions = {}): Promise<Notebook> {
    return this.#connection.json("GET", pathOf("sessions", sessionId, "notebook"), options);
  }

  /** Takes a lease: a server that a client started does not end while one is held. */
  async takeLease(leaseId: string, seconds: number, options: CallOptions = {}): Promise<Lease> {
    return this.#connection.json("POST", pathOf("leases", leaseId), { ...options, json: { seconds }, repeatable: true });
  }

  /** @throws ExecutionClientError `lease_not_found` where it ran out. */
  async renewLease(leaseId: string, seconds: number, options: CallOptions = {}): Promise<Lease> {
    return this.#connection.json("PUT", pathOf("leases", leaseId), { ...options, json: { seconds }, repeatable: true });
  }

  /** Gives a lease back. */
  async endLease(leaseId: string, options: CallOptions = {}): Promise<Lease> {
    return this.#connection.json("DELETE", pathOf("leases", leaseId), options);
  }
}
