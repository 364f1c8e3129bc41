/** `fetch` over a Unix socket. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExecutionClient } from "../../../src/client/index.ts";
import { unixFetch } from "../../../src/launcher/index.ts";

let folder: string;
let socketPath: string;
let server: Server | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "unix-"));
  socketPath = join(folder, "http");
});

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
  rmSync(folder, { recursive: true, force: true });
});

async function serve(listener: (...exchange: Parameters<RequestListener>) => void | Promise<void>): Promise<void> {
  server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server!.listen(socketPath, resolve));
}

test("method, path, headers and body arrive; status, headers and body come back", async () => {
  await serve(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const { "x-api-key": key, "content-length": length } = request.headers;
    response.writeHead(201, { "x-seen": "yes" }).end(JSON.stringify({ method: request.method, url: request.url, key, length, body }));
  });
  const response = await unixFetch(socketPath)("http://ignored:9/a%20b?c=1", {
    method: "PUT",
    headers: { "X-API-Key": "k" },
    body: "naïve",
  });
  expect([response.status, response.ok, response.headers.get("x-seen")]).toEqual([201, true, "yes"]);
  expect(await response.json()).toEqual({ method: "PUT", url: "/a%20b?c=1", key: "k", length: "6", body: "naïve" });
});

test("a stream is sent as it comes", async () => {
  await serve(async (request, response) => {
    let sizeBytes = 0;
    for await (const chunk of request) sizeBytes += (chunk as Buffer).length;
    response.end(`${request.headers["transfer-encoding"]} ${sizeBytes}`);
  });
  const init: RequestInit & { duplex: "half" } = { method: "PUT", body: new Blob([new Uint8Array(200_000)]).stream(), duplex: "half" };
  expect(await (await unixFetch(socketPath)("http://x/", init)).text()).toBe("chunked 200000");
});

test("a body comes piece by piece, and aborting ends it", async () => {
  let closed: () => void = () => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  await serve((_request, response) => {
    response.write("first");
    response.on("close", closed);
  });
  const controller = new AbortController();
  const response = await unixFetch(socketPath)("http://x/", { signal: controller.signal });
  const reader = response.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("first");
  controller.abort();
  await expect(reader.read()).rejects.toThrow();
  await isClosed;
});

test("a connection that is cut is an error, not the end of the body", async () => {
  await serve((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("part", () => response.destroy());
  });
  await expect((await unixFetch(socketPath)("http://x/", {})).text()).rejects.toThrow();
});

test("a socket that is not there is a refused connection for the client", async () => {
  const client = new ExecutionClient({ fetch: unixFetch(socketPath), retries: 0 });
  await expect(client.health()).rejects.toMatchObject({ code: "connection_refused" });
});
