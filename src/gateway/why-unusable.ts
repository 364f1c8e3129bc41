/** Why an address in the list is no executor to send anything to, in words for the log; clients are told where to look. */
import { AppError } from "../errors.ts";
import { ExecutorFault } from "./executor-calls.ts";

/** @see https://docs.openssl.org/3.0/man1/openssl-verification-options/#diagnostics */
const CERTIFICATE_FAULTS: Record<string, string> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: compare the machines' clocks",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is made out to another name",
};
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_(SIGNATURE|UNTRUSTED|CHAIN)|INVALID_CA/;

/** @param error Of a question to it. */
export function whyUnusable(error: unknown): string {
  if (error instanceof ExecutorFault) {
    if (error.statusCode === 401) return "it refuses the gateway's key: executor_key must be its api_key";
    return `it answers HTTP ${error.statusCode}: another program, or a server of another version`;
  }
  if (error instanceof NoExecutorError) return error.message;
  if (error instanceof SyntaxError) return "it does not answer as a server does: another program has that address";
  const { code: found, name } = error as { code?: string | number; name?: string };
  if (name === "TimeoutError") return "it does not answer in time";
  const code = String(found ?? "");
  const fault = CERTIFICATE_FAULTS[code];
  if (fault !== undefined) return fault;
  if (UNTRUSTED.test(code)) return `its certificate is not trusted (${code}): name its authority with executor_ca`;
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") return `no secure connection can be made (${code}): does it speak https?`;
  if (code === "UND_ERR_SOCKET" || code.startsWith("HPE_")) return `it breaks the connection (${code}): does it speak http, or https?`;
  return `it cannot be reached (${code === "" ? name : code})`;
}

/** What clients are told where no address in the list is one. */
export function noneReachable(): AppError {
  return new AppError("no_executor", "No executor can be reached now; the gateway's log says why of each.", { retryAfterSeconds: 2 });
}

/** Who answers is no executor. */
export class NoExecutorError extends Error {
  override readonly name = "NoExecutorError";
}
