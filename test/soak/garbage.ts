/** Has a Node process collect its garbage, over its inspector. */
import { once } from "node:events";
import { WebSocket } from "ws";

const LIMIT_MS = 20_000;

/**
 * Resolves with false where nobody answers at this address.
 * @see https://chromedevtools.github.io/devtools-protocol/v8/HeapProfiler/#method-collectGarbage
 */
export async function collectGarbage(inspectorUrl: string | undefined): Promise<boolean> {
  if (inspectorUrl === undefined) return false;
  const socket = new WebSocket(inspectorUrl, { handshakeTimeout: LIMIT_MS });
  try {
    const signal = AbortSignal.timeout(LIMIT_MS);
    await once(socket, "open", { signal });
    socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
    const ended = once(socket, "close", { signal }).then(() => false);
    ended.catch(() => undefined);
    return await Promise.race([once(socket, "message", { signal }).then(() => true), ended]);
  } catch {
    return false;
  } finally {
    socket.on("error", () => undefined);
    socket.terminate();
  }
}
