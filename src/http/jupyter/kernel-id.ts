/** Sessions by the ids that Jupyter's clients know them by. */
import { createHash } from "node:crypto";

/** Of this project's kernels; any fixed UUID serves. */
const NAMESPACE = Buffer.from("6f0c1d2a9b3e5c47a1d8e2f4b6c80a1e", "hex");

/** Jupyter's servers, JupyterLab's own among them, route to a kernel only by an id of five parts. */
const ACCEPTED = /^\w+-\w+-\w+-\w+-\w+$/;

/** The kernel id of a session: its own id where Jupyter accepts that, else a UUID made from it, the same each time (RFC 9562, version 5). */
export function kernelIdOf(sessionId: string): string {
  if (ACCEPTED.test(sessionId)) return sessionId;
  const digest = createHash("sha1").update(NAMESPACE).update(sessionId).digest().subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return digest.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
