/** How files come down. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExecutionClient } from "../../../src/client/index.ts";
import { FakeServer, sendError } from "./fake-server.ts";

let server: FakeServer;
let client: ExecutionClient;
const content = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251));

beforeEach(async () => {
  server = await FakeServer.start();
  client = new ExecutionClient({ url: server.url, timeoutMs: 2_000 });
});

afterEach(async () => {
  await server.close();
});

/** Serves the content with ranges; every connection but the last is cut after `cutAfterBytes`. */
function serveFile({ cuts = 0, cutAfterBytes = 10_000, etag = '"v1"' } = {}): void {
  let connections = 0;
  server.on("GET", /\/artifacts\//, (request, response) => {
    connections += 1;
    const isSame = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
    const from = isSame ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
    const body = content.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { "content-type": "image/png", "content-length": body.length, etag });
    if (connections > cuts) response.end(body);
    else response.write(body.subarray(0, cutAfterBytes), () => response.destroy());
  });
}

test("a file comes with its type, its size and its bytes", async () => {
  serveFile();
  const download = await client.downloadArtifact("s", "plots/a b.png");
  expect(download).toMatchObject({ fileName: "plots/a b.png", mimeType: "image/png", sizeBytes: content.length });
  expect(Buffer.from(await download.bytes()).equals(content)).toBe(true);
  expect(server.requests[0]!.path).toBe("/api/v1/sessions/s/artifacts/plots/a%20b.png");
});

test("a file can be read as a stream", async () => {
  serveFile();
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await client.downloadArtifact("s", "a.png")).body) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(content)).toBe(true);
});

test("a download whose connection breaks goes on where it was", async () => {
  serveFile({ cuts: 3 });
  const download = await client.downloadArtifact("s", "a.png");
  expect(Buffer.from(await download.bytes()).equals(content)).toBe(true);
  expect(server.requests.length).toBe(4);
});

test("a file that cannot be resumed safely fails instead of being stitched together", async () => {
  serveFile({ cuts: 1, etag: 'W/"weak"' });
  const download = await client.downloadArtifact("s", "a.png");
  await expect(download.bytes()).rejects.toMatchObject({ code: "connection_lost" });
});

test("cancelling the stream closes the connection", async () => {
  let closed: () => void = () => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  server.on("GET", /./, (_request, response) => {
    response.writeHead(200, { "content-type": "image/png" }).write(content);
    response.on("close", closed);
  });
  const { body } = await client.downloadArtifact("s", "a.png");
  await body.cancel();
  await isClosed;
});

test("a file that is not there is a fault", async () => {
  server.on("GET", /./, (_request, response) => sendError(response, 404, "artifact_not_found", "There is no such file."));
  await expect(client.downloadArtifact("s", "a.png")).rejects.toMatchObject({ code: "artifact_not_found", statusCode: 404 });
});

test("a download that stalls is a timeout", async () => {
  server.on("GET", /./, (_request, response) => void response.writeHead(200, { "content-length": "10" }).write("abc"));
  const text = client.downloadArtifact("s", "a.png", { timeoutMs: 50 }).then((download) => download.text());
  await expect(text).rejects.toMatchObject({ code: "timeout" });
});
