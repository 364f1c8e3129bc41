/** The way to one server: its URL and key, requests with timeouts, and retries where a repeat is safe. */
import { ExecutionClientError, isFault } from "./error.ts";
import { answerFault, networkFault, notOurs } from "./faults.ts";
import { Backoff, deadline, pause, type Deadline } from "./waiting.ts";

/** `fetch`, or anything that behaves like it. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Where the server is and how to talk to it. */
export interface ConnectionOptions {
  /**
   * The server's URL; a path is kept, for servers behind a proxy.
   * @default "http://localhost:8000"
   */
  url?: string | undefined;
  /** Sent as `X-API-Key`. */
  apiKey?: string | undefined;
  /** Another `fetch`, e.g. over a Unix socket. */
  fetch?: Fetch | undefined;
  /**
   * How long a call may wait for its answer; null for no limit. It ends the client's wait, never what the server does.
   * @default 300_000
   */
  timeoutMs?: number | null | undefined;
  /**
   * How often a request is sent again where that is safe.
   * @default 2
   */
  retries?: number | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the wait; what the server does goes on. */
  signal?: AbortSignal | undefined;
  /** In place of the client's own. */
  timeoutMs?: number | null | undefined;
}

/** One request. */
export interface RequestOptions extends CallOptions {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: BodyInit;
  headers?: Record<string, string>;
  /** Whether a second copy of the request does no harm; GET and HEAD never do. */
  repeatable?: boolean;
  /** Sends a repeatable request again more often where its connection breaks. */
  persistent?: boolean;
  /** The answer may begin late without any fault: what is sent is large, or has code to run. */
  mayTakeLong?: boolean;
  /** Told that a try failed and the request may have been handled all the same. */
  onRetry?: (fault: ExecutionClientError) => void;
}

const API_PATH = "/api/v1";
const DEFAULT_URL = "http://localhost:8000";
const DEFAULT_TIMEOUT_MS = 300_000;
const FIRST_RETRY_MS = 100;
const MOST_RETRY_MS = 5_000;
const PERSISTENT_RETRIES = 12;
/**
 * A machine that is switched off ends none of its connections, and TCP sends into one that was kept open for a quarter of an hour. So a
 * repeatable request without an answer is sent again on another connection; each time after twice as long, since the server may be only slow.
 */
const FIRST_SILENCE_MS = 20_000;

/** Sends requests to one server. */
export class Connection {
  /** Without a slash at its end. */
  readonly url: string;
  readonly timeoutMs: number | null;
  readonly #apiKey: string;
  readonly #fetch: Fetch;
  readonly #retries: number;

  /** @throws ExecutionClientError `invalid_option` for a URL that is none. */
  constructor(options: ConnectionOptions) {
    this.url = checkedUrl(options.url ?? DEFAULT_URL);
    this.timeoutMs = options.timeoutMs === undefined ? DEFAULT_TIMEOUT_MS : options.timeoutMs;
    this.#apiKey = options.apiKey ?? "";
    // Browsers refuse a `fetch` that is called on anything but the window.
    this.#fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    this.#retries = options.retries ?? 2;
    if (/[^\u0020-\u00FF]/.test(this.#apiKey)) {
      throw new ExecutionClientError(
        "invalid_option",
        "The API key holds characters that cannot be sent in a header: check it for line breaks.",
      );
    }
  }

  /**
   * Sends a request and reads the JSON that it is answered with.
   * @param path Below `/api/v1`, e.g. `/sessions`; or a whole path that begins with it.
   */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const clock = this.#clock(method, path, options);
    try {
      const response = await this.#send(method, path, options, clock.signal);
      return (await readJson(this.url, response)) as T;
    } catch (error) {
      throw clock.faultOf(error) ?? asFault(this.url, error);
    } finally {
      clock.clear();
    }
  }

  /**
   * Sends a request; the body of the answer is the caller's to read.
   * @param clock Ends the request and the reading of its body; the caller's to restart and to clear.
   */
  async open(method: string, path: string, options: Omit<RequestOptions, keyof CallOptions>, clock: Deadline): Promise<Response> {
    try {
      return await this.#send(method, path, options, clock.signal);
    } catch (error) {
      throw clock.faultOf(error) ?? asFault(this.url, error);
    }
  }

  #clock(method: string, path: string, options: RequestOptions) {
    const timeoutMs = options.timeoutMs === undefined ? this.timeoutMs : options.timeoutMs;
    return deadline(
      options.signal,
      timeoutMs,
      () => `${this.url} did not answer ${method} ${path} within ${timeoutMs} ms: is the server overloaded, or the timeout too short?`,
    );
  }

  async #send(method: string, path: string, options: RequestOptions, signal: AbortSignal): Promise<Response> {
    const backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
    const repeatable = options.repeatable === true || method === "GET" || method === "HEAD";
    for (let retry = 0; ; retry += 1) {
      const isBounded = repeatable && options.mayTakeLong !== true && retry < this.#retries;
      const silenceMs = isBounded ? FIRST_SILENCE_MS * 2 ** retry : null;
      const silence = deadline(signal, silenceMs, () => `${this.url} did not begin to answer ${method} ${path} within ${silenceMs} ms.`);
      try {
        const response = await this.#sendOnce(method, path, options, silence.signal);
        // The body is still to come: only the caller's signal ends that.
        silence.stop();
        return response;
      } catch (cause) {
        const error = signal.aborted ? cause : (silence.faultOf(cause) ?? cause);
        silence.clear();
        const most = options.persistent === true && isFault(error, "connection_lost") ? PERSISTENT_RETRIES : this.#retries;
        if (signal.aborted || retry >= most || !isFault(error) || !mayRepeat(error, repeatable)) throw error;
        options.onRetry?.(error);
        await pause(Math.min(Math.max(error.retryAfterMs ?? 0, backoff.nextMs()), MOST_RETRY_MS), signal);
      }
    }
  }

  async #sendOnce(method: string, path: string, options: RequestOptions, signal: AbortSignal): Promise<Response> {
    const headers = new Headers(options.headers);
    if (this.#apiKey !== "") headers.set("X-API-Key", this.#apiKey);
    let { body } = options;
    if (options.json !== undefined) {
      headers.set("Content-Type", "application/json");
      body = JSON.stringify(options.json);
    }
    const init: RequestInit & { duplex?: "half" } = { method, headers, signal, redirect: "manual" };
    if (body !== undefined) init.body = body;
    // Fetch asks for this word wherever a body is a stream.
    if (body instanceof ReadableStream) init.duplex = "half";
    let response: Response;
    try {
      response = await this.#fetch(this.#address(path), init);
    } catch (error) {
      throw signal.aborted ? error : networkFault(this.url, error);
    }
    if (!response.ok) throw await answerFault(this.url, response, this.#apiKey !== "");
    return response;
  }

  #address(path: string): string {
    return this.url + (path.startsWith(`${API_PATH}/`) ? path : API_PATH + path);
  }
}

/**
 * The path of a resource: its parts, made safe for a URL.
 * @throws ExecutionClientError `invalid_option` for a part that a URL would take for another place: it knows no way to write it.
 */
export function pathOf(...parts: string[]): string {
  const wrong = parts.find((part) => part === "" || part === "." || part === "..");
  if (wrong !== undefined) {
    throw new ExecutionClientError("invalid_option", `An id or a path may have no part that is ${wrong === "" ? "empty" : `"${wrong}"`}.`);
  }
  return parts.map((part) => `/${encodeURIComponent(part)}`).join("");
}

/** The fault that an error is, or the network fault that it means. */
export function asFault(url: string, error: unknown): ExecutionClientError {
  return isFault(error) ? error : networkFault(url, error);
}

/** A refused connection or a server that is not ready handled nothing; a broken one may have. */
function mayRepeat(fault: ExecutionClientError, repeatable: boolean): boolean {
  if (fault.code === "connection_refused" || fault.code === "starting") return true;
  if (!repeatable) return false;
  return fault.code === "connection_lost" || fault.code === "unreachable" || fault.code === "timeout";
}

async function readJson(url: string, response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw notOurs(url, `it answered HTTP ${response.status} with something that is no JSON`, response.status, error);
  }
  throw notOurs(url, `it answered HTTP ${response.status} with something that is no JSON object`, response.status);
}

function checkedUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (error) {
    throw new ExecutionClientError("invalid_option", `"${url}" is no URL: write it like ${DEFAULT_URL}.`, { cause: error });
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new ExecutionClientError("invalid_option", `"${url}" is no http or https URL: write it like ${DEFAULT_URL}.`);
  }
  if (parsed.username !== "" || parsed.search !== "" || parsed.hash !== "") {
    throw new ExecutionClientError("invalid_option", `The server's URL must be scheme, host, port and path only, like ${DEFAULT_URL}.`);
  }
  const path = parsed.pathname.replace(/\/+$/, "");
  return parsed.origin + (path.endsWith(API_PATH) ? path.slice(0, -API_PATH.length) : path);
}
