/** Requests to executors: proxied ones, whose bodies only pass through, and the gateway's own questions. */
import { connect } from "node:net";
import { Agent, type Dispatcher } from "undici";
import { API_PREFIX, type Claim, type ClaimLists, type ClaimRequest, type HeldSessions, type Readiness } from "../api/index.ts";
import { AppError } from "../errors.ts";
import type { ExecutorAddress } from "./addresses.ts";

/** A request; `path` is a whole one, with its query. */
export interface ExecutorRequest {
  method: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: Dispatcher.DispatchOptions["body"];
  signal?: AbortSignal;
}

/** An executor's answer; its body has to be read or destroyed. */
export type ExecutorAnswer = Dispatcher.ResponseData;

/** How calls are made. */
export interface ExecutorCallsOptions {
  /** What the gateway shows its executors. */
  key: string;
  /** Certificates, in PEM, that those of executors are checked against; the usual ones by default. */
  ca?: string;
  /** What a connection may take. */
  connectTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 2_000;
const PROBE_TIMEOUT_MS = 1_000;
const QUESTION_TIMEOUT_MS = 3_000;

/** Nothing of the request has reached the executor. @see https://nodejs.org/api/errors.html#common-system-errors */
const UNSENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT"]);

/** Code runs as long as it likes, and streams are silent as long as it is. */
const PATIENT = { headersTimeout: 0, bodyTimeout: 0 };

/** Sends requests; keeps connections open for the next ones. */
export class ExecutorCalls {
  readonly #key: string;
  readonly #connect: { timeout: number; ca?: string };
  /** By the name on the certificates. Names are few; addresses come and go for as long as the gateway lives. */
  readonly #agents = new Map<string | undefined, Agent>();

  constructor({ key, ca, connectTimeoutMs = CONNECT_TIMEOUT_MS }: ExecutorCallsOptions) {
    this.#key = key;
    this.#connect = { timeout: connectTimeoutMs, ...(ca === undefined ? {} : { ca }) };
  }

  /** What the gateway shows an executor in place of its client's key. */
  get keyHeaders(): Record<string, string> {
    return { "x-api-key": this.#key };
  }

  /** Sends a request; resolves when the answer begins. */
  async open(address: ExecutorAddress, request: ExecutorRequest): Promise<ExecutorAnswer> {
    const { origin, serverName } = address;
    const { method, path, headers, body, signal } = request;
    const sent = this.#agentFor(serverName).request({
      origin,
      path,
      method,
      headers: { ...headers, ...this.keyHeaders },
      body: body ?? null,
      ...(signal === undefined ? {} : { signal }),
    });
    const answer = await (signal === undefined ? sent : untilAborted(sent, signal));
    // The key is the gateway's: a client that hears of it would look for the fault in its own.
    if (answer.statusCode === 401) throw new ExecutorFault(address, answer.statusCode, await answer.body.text());
    return answer;
  }

  /** Asks for JSON. @throws ExecutorFault for an answer that is no success. */
  async json<T>(address: ExecutorAddress, method: string, path: string, json?: unknown, timeoutMs = QUESTION_TIMEOUT_MS): Promise<T> {
    const answer = await this.open(address, {
      method,
      path,
      headers: { accept: "application/json", ...(json === undefined ? {} : { "content-type": "application/json" }) },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new ExecutorFault(address, answer.statusCode, text);
    return JSON.parse(text) as T;
  }

  /** How it is; also an executor that drains says so. */
  async readiness(address: ExecutorAddress, timeoutMs: number): Promise<Readiness> {
    const answer = await this.open(address, { method: "GET", path: `${API_PREFIX}/ready`, signal: AbortSignal.timeout(timeoutMs) });
    const text = await answer.body.text();
    const figures: unknown = answer.statusCode === 200 || answer.statusCode === 503 ? JSON.parse(text) : undefined;
    if (isReadiness(figures)) return figures;
    throw new ExecutorFault(address, answer.statusCode, text);
  }

  /** Whether it takes this gateway's key and speaks of claims. @throws ExecutorFault where it does not. */
  async check(address: ExecutorAddress): Promise<void> {
    await this.claimOf(address, "any");
  }

  async claimOf(address: ExecutorAddress, id: string): Promise<Claim> {
    return this.json(address, "GET", claimPath(id));
  }

  async claim(address: ExecutorAddress, id: string, request: ClaimRequest): Promise<Claim> {
    return this.json(address, "PUT", claimPath(id), request);
  }

  async dropClaim(address: ExecutorAddress, id: string, executor: string): Promise<Claim> {
    return this.json(address, "DELETE", `${claimPath(id)}?executor=${encodeURIComponent(executor)}`);
  }

  /** All sessions of an executor, and the executors about to end that it knows of. */
  async sessionIds(address: ExecutorAddress): Promise<HeldSessions> {
    return this.json(address, "GET", `${API_PREFIX}/claims`, undefined, 10_000);
  }

  async tellClaims(address: ExecutorAddress, lists: ClaimLists): Promise<void> {
    await this.json(address, "POST", `${API_PREFIX}/claims`, lists, 10_000);
  }

  /** Whether the machine takes connections at all: a server that is only slow still does. */
  async connects({ origin }: ExecutorAddress): Promise<boolean> {
    const { hostname, port, protocol } = new URL(origin);
    const host = hostname.replace(/^\[|\]$/g, "");
    return new Promise((resolve) => {
      const socket = connect({ host, port: Number(port || (protocol === "https:" ? 443 : 80)), timeout: PROBE_TIMEOUT_MS });
      const end = (answer: boolean) => () => {
        socket.destroy();
        resolve(answer);
      };
      socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(async (agent) => agent.destroy()));
  }

  #agentFor(serverName: string | undefined): Agent {
    const known = this.#agents.get(serverName);
    if (known !== undefined) return known;
    const connect = { ...this.#connect, ...(serverName === undefined ? {} : { servername: serverName }) };
    const agent = new Agent({ ...PATIENT, connect });
    this.#agents.set(serverName, agent);
    return agent;
  }
}

/** An executor answered the gateway what it should not; what exactly is for the log. */
export class ExecutorFault extends AppError {
  readonly statusCode: number;

  constructor({ origin }: ExecutorAddress, statusCode: number, text: string) {
    super("executor_fault", undefined, { cause: new Error(`${origin} answered HTTP ${statusCode}: ${text.slice(0, 200)}`) });
    this.name = "ExecutorFault";
    this.statusCode = statusCode;
  }
}

/** Whether a request that failed has certainly not been handled. */
export function isUnsent(error: unknown): boolean {
  const { code, errors } = error as { code?: string; errors?: unknown[] };
  return UNSENT.has(code ?? "") || (errors !== undefined && errors.length > 0 && errors.every(isUnsent));
}

/** undici looks at the signal once it is connected: with a machine that is switched off, after the time that a connection may take. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function claimPath(id: string): string {
  return `${API_PREFIX}/claims/${encodeURIComponent(id)}`;
}

function isReadiness(value: unknown): value is Readiness {
  return typeof value === "object" && value !== null && typeof (value as Partial<Readiness>).sessions === "number" && "status" in value;
}
