/** A real server in this process with real kernels, and the plain HTTP that a client without any library would speak. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SERVER_DEFAULTS, startServer, type ServerSettings } from "../../src/index.ts";
import type { ExecutionResult, SessionInfo } from "../../src/api/index.ts";
import { allFrames, type Frame } from "./event-stream.ts";
import { testPython } from "./python.ts";
import { whenDone } from "./when-done.ts";

/** An answer, read to its end. */
export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  text: string;
  json: T;
}

/** A running server. */
export interface LiveServer {
  /** With the prefix of the API. */
  api: string;
  url: string;
  workDir: string;
  call<T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
  /** Makes a session with an id of its own; returns its path below the API. */
  session(options?: Record<string, unknown>): Promise<string>;
  /** Runs code in the session of this path to its end. */
  run(session: string, code: string, options?: Record<string, unknown>): Promise<ExecutionResult>;
  /** Runs code and reads its stream to the end. */
  stream(session: string, code: string, options?: Record<string, unknown>): Promise<Frame[]>;
  info(session: string): Promise<SessionInfo>;
  close(): Promise<void>;
}

let count = 0;

/** Starts one; it ends with the test, or with the file where all tests share it. */
export async function startLiveServer(overrides: Partial<ServerSettings> = {}): Promise<LiveServer> {
  const workDir = await mkdtemp(join(tmpdir(), "taskweaver-server-"));
  whenDone(() => rm(workDir, { recursive: true, force: true, maxRetries: 3 }));
  const server = await startServer({
    ...SERVER_DEFAULTS,
    host: "127.0.0.1",
    port: 0,
    workDir,
    python: testPython(),
    kernelPool: 0,
    logLevel: "silent",
    shutdownGraceMs: 0,
    ...overrides,
  });
  whenDone(() => server.close());
  const api = `${server.url}/api/v1`;

  const call: LiveServer["call"] = async (method, path, body, headers = {}) => {
    const type = body === undefined ? {} : { "Content-Type": "application/json" };
    const init = { method, headers: { ...type, ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${api}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} };
  };

  const newId = (): string => `e${(count += 1)}`;
  return {
    api,
    url: server.url,
    workDir,
    call,
    session: async (options = {}) => {
      const session_id = newId();
      const answer = await call("POST", "/sessions", { session_id, ...options });
      if (answer.status !== 201) throw new Error(answer.text);
      return `/sessions/${session_id}`;
    },
    run: async (session, code, options = {}) => {
      const answer = await call<ExecutionResult>("POST", `${session}/execute`, { exec_id: newId(), code, ...options });
      if (answer.status !== 200) throw new Error(answer.text);
      return answer.json;
    },
    stream: async (session, code, options = {}) => {
      const started = await call<{ stream_url: string }>("POST", `${session}/execute`, {
        exec_id: newId(),
        code,
        stream: true,
        ...options,
      });
      if (started.status !== 202) throw new Error(started.text);
      return allFrames(await fetch(`${server.url}${started.json.stream_url}`));
    },
    info: async (session) => (await call<SessionInfo>("GET", session)).json,
    close: () => server.close(),
  };
}
