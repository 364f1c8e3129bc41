/** Turns what went wrong on the way to the server, or what it answered, into one clear fault. */
import type { ErrorBody } from "../api/index.ts";
import { innermostMessage, systemCode } from "./causes.ts";
import { ExecutionClientError } from "./error.ts";

/**
 * The fault of a `fetch` that gave no answer.
 * @param url The server's URL, as configured.
 * @param error What `fetch` threw.
 */
export function networkFault(url: string, error: unknown): ExecutionClientError {
  const reason = systemCode(error);
  const options = { cause: error };
  if (reason === "ECONNREFUSED" || reason === "ENOENT") {
    return new ExecutionClientError(
      "connection_refused",
      `Nothing answers at ${url}: start a server there (\`taskweaver server\`), or correct the URL (execution.server.url).`,
      options,
    );
  }
  if (reason !== undefined && NAME_FAULTS.has(reason)) {
    return new ExecutionClientError(
      "unreachable",
      `The host of ${url} is not known (${reason}): correct the URL (execution.server.url) or check the name service.`,
      options,
    );
  }
  if (reason !== undefined && ROUTE_FAULTS.has(reason)) {
    return new ExecutionClientError(
      "unreachable",
      `${url} cannot be reached (${reason}): check the network and any firewall on the way.`,
      options,
    );
  }
  if (reason !== undefined && LOST_FAULTS.has(reason)) {
    return new ExecutionClientError(
      "connection_lost",
      `The connection to ${url} broke (${reason}) before the answer was complete: try again.`,
      options,
    );
  }
  if (reason !== undefined && /CERT|SSL|TLS|SELF_SIGNED|ISSUER|LEAF_SIGNATURE/.test(reason)) {
    return new ExecutionClientError(
      "unreachable",
      `The connection to ${url} cannot be made secure (${reason}): check the server's certificate (NODE_EXTRA_CA_CERTS=FILE names a private authority), or whether it speaks https at all.`,
      options,
    );
  }
  if (reason !== undefined && reason.startsWith("HPE_")) return notOurs(url, "it does not speak HTTP", 0, error);
  // https://fetch.spec.whatwg.org/#port-blocking
  if (innermostMessage(error) === "bad port") {
    return new ExecutionClientError(
      "invalid_option",
      `${url} has a port that fetch refuses in every runtime: let the server use another.`,
      options,
    );
  }
  return new ExecutionClientError(
    "unreachable",
    `${url} cannot be reached (${innermostMessage(error) || String(error)}): is the server running, and the URL right?`,
    options,
  );
}

/**
 * The fault of an answer with an error status.
 * @param response Its body is read.
 * @param hasKey Whether a key was sent.
 */
export async function answerFault(url: string, response: Response, hasKey: boolean): Promise<ExecutionClientError> {
  const status = response.status;
  if (response.type === "opaqueredirect" || (status >= 300 && status < 400)) {
    const target = response.headers.get("location");
    const advice = target === null ? "" : ` to ${target}; set the URL to the server behind it`;
    return notOurs(url, `it redirects${advice}`, status);
  }
  const body = readErrorBody(await bodyText(response));
  if (body === null) {
    if (status === 502 || status === 503 || status === 504) {
      return new ExecutionClientError(
        "unreachable",
        `A proxy answers at ${url}, but the server behind it does not (HTTP ${status}): is it running?`,
        { statusCode: status, ...retryAfter(response) },
      );
    }
    // What a server that speaks TLS says to plain text, where it says anything.
    const doubt = status === 400 && url.startsWith("http:") ? " (does it speak https?)" : "";
    return notOurs(url, `it answered with HTTP ${status} and no error of ours${doubt}`, status);
  }
  return new ExecutionClientError(body.code, sentence(url, body, hasKey), {
    statusCode: status,
    ...(body.errors === undefined ? {} : { errors: body.errors }),
    ...retryAfter(response),
  });
}

/** The fault of something at the URL that is no execution server. */
export function notOurs(url: string, evidence: string, statusCode: number, cause?: unknown): ExecutionClientError {
  return new ExecutionClientError(
    "wrong_server",
    `What answers at ${url} is not a TaskWeaver execution server: ${evidence}. Correct the URL (execution.server.url) or use another port.`,
    { statusCode, cause },
  );
}

function sentence(url: string, body: ErrorBody, hasKey: boolean): string {
  if (body.code === "unauthorized") {
    return hasKey
      ? `The server at ${url} refuses the API key: set the server's own key (execution.server.api_key or TASKWEAVER_SERVER_API_KEY).`
      : `The server at ${url} asks for an API key: set execution.server.api_key or TASKWEAVER_SERVER_API_KEY.`;
  }
  if (body.code === "not_found" || body.code === "method_not_allowed") {
    return `The server at ${url} lacks this function (${body.detail}): it may be older than this client; update it.`;
  }
  const first = body.errors?.[0];
  return first === undefined || body.detail.includes(first.message) ? body.detail : `${body.detail} (${first.path}: ${first.message})`;
}

/** The body of an error in the contract's form, or null for anything else. */
function readErrorBody(text: string): ErrorBody | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const { detail, code } = value as Partial<ErrorBody>;
    return typeof detail === "string" && typeof code === "string" ? (value as ErrorBody) : null;
  } catch {
    return null;
  }
}

async function bodyText(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch {
    return "";
  }
}

function retryAfter(response: Response): { retryAfterMs?: number } {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
}

const NAME_FAULTS = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NONAME", "EAI_FAIL"]);
const ROUTE_FAULTS = new Set([
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENETDOWN",
  "ETIMEDOUT",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
  "UND_ERR_CONNECT_TIMEOUT",
]);
const LOST_FAULTS = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "ECONNABORTED", "UND_ERR_BODY_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT"]);
