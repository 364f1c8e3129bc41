/** A `fetch` whose streams break, for tests of clients that must not mind. */
import type { Fetch } from "../../src/client/index.ts";

/** How it breaks. */
export interface CuttingOptions {
  /** How many streams break; later ones hold. */
  cuts: number;
  /** After how many bytes of a stream's body. */
  afterBytes: number;
}

/** Makes it. Only streams of server-sent events break. */
export function cuttingFetch(inner: Fetch, { cuts, afterBytes }: CuttingOptions): { fetch: Fetch; count(): number } {
  let count = 0;
  const fetch: Fetch = async (url, init) => {
    const response = await inner(url, init);
    if (count >= cuts || !(response.headers.get("content-type") ?? "").startsWith("text/event-stream") || response.body === null)
      return response;
    const reader = response.body.getReader();
    let passedBytes = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        const room = afterBytes - passedBytes;
        passedBytes += value.length;
        if (value.length < room) return controller.enqueue(value);
        // In the middle of a frame, as networks do.
        count += 1;
        controller.enqueue(value.slice(0, room));
        await reader.cancel();
        controller.error(new TypeError("terminated", { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) }));
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
  return { fetch, count: () => count };
}
