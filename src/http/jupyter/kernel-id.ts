/** Sessions by the ids that Jupyter's clients know them by. */
import { hash } from "node:crypto";

/** Of this project's kernels; any fixed UUID serves. */
const NAMESPACE = Buffer.from("6f0c1d2a9b3e5c47a1d8e2f4b6c80a1e", "hex");

/** Jupyter's servers, JupyterLab's own among them, route to a kernel only by an id of five parts. */
const ACCEPTED = /^\w+-\w+-\w+-\w+-\w+$/;

/** The kernel id of a session: its own id where Jupyter accepts that, else a UUID made from it, the same each time (RFC 9562, version 5). */
export function kernelIdOf(sessionId: string): string {
  if (ACCEPTED.test(sessionId)) return sessionId;
  const digest = hash("sha1", Buffer.concat([NAMESPACE, Buffer.from(sessionId)]), "hex");
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `5${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join("-");
}
