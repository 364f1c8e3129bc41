/** What only passes through a gateway: streams taken up where they were, repeats that run nothing, and bytes at the other side's pace. */
import { EventEmitter, once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import pino, { type Logger } from "pino";
import { expect, it, vi } from "vitest";
import { resolveGatewaySettings } from "../../src/config.ts";
import { startGateway } from "../../src/gateway.ts";
import { allFrames } from "../helpers/event-stream.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const KEY = "key-of-executors";
const MIB = 1024 ** 2;
/** What sockets and streams on the way hold; the file is many times as long. */
const MOST_ON_THE_WAY = 24 * MIB;
const FILE_BYTES = 256 * MIB;

const real = sharedByAll(async () => {
  const executor = await startLiveServer({ apiKey: KEY });
  const api = await gatewayBefore(executor.url);
  await call(api, "POST", "/sessions", { session_id: "s" });
  return { api };
});

it("a stream is taken up again after the event that the client names, in the header or the query", async () => {
  const { api } = real();
  const started = await call(api, "POST", "/sessions/s/execute", {
    exec_id: "resumed",
    code: "for i in range(3): print(i, flush=True)\n7",
    stream: true,
  });
  expect(started.status).toBe(202);
  const stream = `${api}/sessions/s/execute/resumed/stream`;
  const all = await allFrames(await fetch(stream));
  expect(all.at(-1)).toMatchObject({ event: "done" });
  for (const rest of [await fetch(stream, { headers: { "last-event-id": "1" } }), await fetch(`${stream}?last_event_id=1`)]) {
    expect(await allFrames(rest)).toEqual(all.slice(1));
  }
});

it("a repeat under an Idempotency-Key runs nothing, and one with another body is refused", async () => {
  const { api } = real();
  const headers = { "idempotency-key": "once" };
  const body = { exec_id: "counted", code: "n = globals().get('n', 0) + 1\nn" };
  const [one, two] = [
    await call(api, "POST", "/sessions/s/execute", body, headers),
    await call(api, "POST", "/sessions/s/execute", body, headers),
  ];
  expect([one.json["output"], two.json["output"]]).toEqual([1, 1]);
  const other = await call(api, "POST", "/sessions/s/execute", { ...body, code: "2" }, headers);
  expect([other.status, other.json["code"]]).toEqual([422, "idempotency_mismatch"]);
});

it("an upload is refused while it still comes, and the client reads why", async () => {
  const { api } = real();
  const answer = await fetch(`${api}/sessions/nowhere/files/large.bin`, {
    method: "PUT",
    body: Readable.toWeb(Readable.from(zeros(8 * MIB), { objectMode: false })) as ReadableStream,
    duplex: "half",
    headers: { "content-length": String(8 * MIB) },
  } as RequestInit);
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([404, "session_not_found"]);
});

it("an upload to an executor that takes nothing stops, and goes on with it", async () => {
  let taken: IncomingMessage | undefined;
  const fake = await fakeExecutor((request, response) => {
    taken = request;
    request.once("end", () => response.end("{}"));
  });
  let sentBytes = 0;
  const counted = function* (): Generator<Buffer> {
    for (const chunk of zeros(FILE_BYTES)) {
      sentBytes += chunk.length;
      yield chunk;
    }
  };
  const sending = httpRequest(`${fake.api}/sessions/held/files/large.bin`, {
    method: "PUT",
    headers: { "content-length": String(FILE_BYTES) },
  });
  const answered = once(sending, "response") as Promise<[IncomingMessage]>;
  Readable.from(counted(), { objectMode: false }).pipe(sending);
  await vi.waitFor(() => expect(taken).toBeDefined(), 20_000);
  await steady(() => sentBytes);
  expect(sentBytes).toBeLessThan(MOST_ON_THE_WAY);
  taken!.resume();
  const [response] = await answered;
  expect([response.statusCode, sentBytes]).toEqual([200, FILE_BYTES]);
  response.resume();
});

it("a download that the client does not take stops at the executor, and goes on with the client", async () => {
  let writtenBytes = 0;
  const fake = await fakeExecutor((_request, response) => {
    response.writeHead(200, { "content-length": String(FILE_BYTES) });
    const counted = function* (): Generator<Buffer> {
      for (const chunk of zeros(FILE_BYTES)) {
        writtenBytes += chunk.length;
        yield chunk;
      }
    };
    Readable.from(counted(), { objectMode: false }).pipe(response);
  });
  const asked = httpRequest(`${fake.api}/sessions/held/artifacts/large.bin`).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  await steady(() => writtenBytes);
  expect(writtenBytes).toBeLessThan(MOST_ON_THE_WAY);
  let readBytes = 0;
  for await (const chunk of response) readBytes += (chunk as Buffer).length;
  expect([readBytes, writtenBytes]).toEqual([FILE_BYTES, FILE_BYTES]);
});

it("a client that hangs up before it has its answer is no fault: the log has no word of it", async () => {
  const asked = new EventEmitter();
  const logged: { msg: string }[] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line) as { msg: string }) });
  const fake = await fakeExecutor((request, response) => {
    if (request.method === "GET") return void response.writeHead(401).end();
    request.resume().socket.once("close", () => asked.emit("left"));
    asked.emit("there");
  }, logger);
  const isThere = once(asked, "there");
  const hasLeft = once(asked, "left");
  const impatient = httpRequest(`${fake.api}/sessions/held/interrupt`, { method: "POST" }).on("error", () => undefined);
  impatient.end();
  await isThere;
  impatient.destroy();
  await hasLeft;
  // What is a fault is told of, and after whatever came before.
  expect((await fetch(`${fake.api}/sessions/held`)).status).toBe(502);
  expect(logged.map(({ msg }) => msg)).toEqual([expect.stringContaining("executor")]);
});

it("a document whose executor breaks off while it is opened is answered with what has happened", async () => {
  const fake = await fakeExecutor((request) => request.socket.destroy());
  const opened = await call(new URL("/api", fake.api).href, "POST", "/sessions", {
    path: "a.ipynb",
    type: "notebook",
    kernel: { id: "held" },
  });
  expect([opened.status, opened.json["code"]]).toEqual([502, "executor_cut_off"]);
});

async function gatewayBefore(url: string, logger = pino({ level: "silent" })): Promise<string> {
  const flags = { host: "127.0.0.1", port: "0", executors: url, executor_key: KEY };
  const gateway = await startGateway(resolveGatewaySettings(flags, {}), { logger });
  whenDone(() => gateway.close());
  return `${gateway.url}/api/v1`;
}

/** A gateway before an executor without kernels, which holds the session `held`, and whose answers for it are what the test makes of them. */
async function fakeExecutor(
  answerFor: (request: IncomingMessage, response: ServerResponse) => void,
  logger?: Logger,
): Promise<{ api: string }> {
  const server = createServer((request, response) => {
    const { url = "" } = request;
    if (url.includes("/sessions/") || url === "/api/sessions") return answerFor(request, response);
    const answer = url.endsWith("/ready")
      ? { status: "ready", sessions: 1, executions: 0, instance: "fake" }
      : url.endsWith("/claims")
        ? { executor: "fake", sessions: ["held"], claims: [] }
        : { session_id: "held", executor: null, is_held: true };
    request.resume();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  whenDone(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  return { api: await gatewayBefore(`http://127.0.0.1:${(server.address() as { port: number }).port}`, logger) };
}

/** Resolves when a number has grown and does so no more. */
async function steady(value: () => number): Promise<void> {
  let before = -1;
  await vi.waitFor(
    () => {
      const now = value();
      const isSteady = now > 0 && now === before;
      before = now;
      expect(isSteady).toBe(true);
    },
    { timeout: 30_000, interval: 500 },
  );
}

function* zeros(sizeBytes: number): Generator<Buffer> {
  const chunk = Buffer.alloc(256 * 1024);
  for (let sent = 0; sent < sizeBytes; sent += chunk.length) yield chunk;
}

async function call(api: string, method: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(api + path, {
    method,
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}
