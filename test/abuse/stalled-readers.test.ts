/**
 * Stalled readers and a stalled disk: who asks for much and then reads nothing, while as much as it likes is on its way, so that a server that keeps what its
 * reader does not take runs out of memory. So does one that takes an upload faster than the disk does.
 */
import fs from "node:fs";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import WebSocket from "ws";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import { decodeFrame } from "../../src/http/jupyter/wire.ts";
import { openSocket } from "../helpers/raw-http.ts";
import { KEY } from "../helpers/test-app.ts";
import { sharedByAll } from "../helpers/when-done.ts";
import { startMeasuredServer } from "./measured-server.ts";
import { API, LET_IN, startVictim } from "./victim.ts";

const MIB = 1024 * 1024;
const FILE_BYTES = 128 * MIB;

const shared = sharedByAll(async () => {
  const server = await startMeasuredServer();
  await server.call("/sessions", { session_id: "s" });
  const code = `with open("big", "wb") as file: file.truncate(${FILE_BYTES})`;
  await server.call("/sessions/s/execute", { exec_id: "make", code });
  return server;
});

test("ten downloads of which nothing is read hold no more than their sockets", async () => {
  const server = shared();
  const before = server.memoryBytes();
  for (let count = 0; count < 10; count += 1) {
    const socket = await openSocket(server.url);
    socket.write(`GET ${API}/sessions/s/artifacts/big HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await once(socket, "data");
    socket.pause();
  }
  // As long as one that reads takes for all of it, the others had time for as much.
  const whole = await fetch(`${server.url}${API}/sessions/s/artifacts/big`);
  let received = 0;
  for await (const chunk of whole.body ?? []) received += chunk.length;
  expect(received).toBe(FILE_BYTES);
  expect(server.memoryBytes() - before).toBeLessThan(150 * MIB);
});

test("a Jupyter client that reads nothing of a flood misses text, is told so, and slows nobody", async () => {
  const server = shared();
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/kernels/${kernelIdOf("s")}/channels?session_id=lab`);
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  socket.pause();
  const before = server.memoryBytes();
  const code = 'for _ in range(100): print("x" * 1_000_000)';
  expect(await server.call("/sessions/s/execute", { exec_id: "flood", code })).toMatchObject({ is_success: true });
  expect(server.memoryBytes() - before).toBeLessThan(250 * MIB);
  const told = new Promise((resolve) => {
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const { content } = decodeFrame({ data, isBinary }, socket.protocol);
      if (String(content["text"]).includes("output is missing here")) resolve(true);
    });
  });
  socket.resume();
  expect(await told).toBe(true);
});

test("a model's client that reads nothing of a flood holds little, and keeps no server from ending", async () => {
  const server = await startMeasuredServer("--shutdown-grace", "1");
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const clientInfo = { name: "stalled", version: "1" };
  const hello = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo } };
  const welcome = await fetch(`${server.url}/mcp`, { method: "POST", headers, body: JSON.stringify(hello) });
  await welcome.text();
  const code = 'for _ in range(200): print("x" * 1_000_000)\nopen("printed", "w")\nwhile True: pass';
  const params = { name: "run_code", arguments: { session_id: "flooded", code }, _meta: { progressToken: "p" } };
  const call = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params });
  const socket = await openSocket(server.url);
  socket.pause();
  const before = server.memoryBytes();
  const named = [...Object.entries(headers), ["mcp-session-id", welcome.headers.get("mcp-session-id")], ["content-length", call.length]];
  socket.write(`POST /mcp HTTP/1.1\r\nHost: localhost\r\n${named.map(([name, value]) => `${name}: ${value}`).join("\r\n")}\r\n\r\n${call}`);
  const files = (): Promise<{ files: unknown[] }> => server.call("/sessions/flooded/files");
  await vi.waitFor(async () => expect((await files()).files).toContainEqual(expect.objectContaining({ path: "printed" })), {
    timeout: 60_000,
    interval: 100,
  });
  expect(server.memoryBytes() - before).toBeLessThan(250 * MIB);
  expect(await server.end("SIGTERM")).toEqual({ exitCode: 0, signal: null });
}, 45_000);

test("an upload waits with its sender while the disk takes nothing of it", async () => {
  const { url } = await startVictim();
  const isStalled = stallFirstFile();
  const socket = await openSocket(url);
  socket.write(`PUT ${API}/sessions/s1/files/slow HTTP/1.1\r\n${LET_IN.join("\r\n")}\r\nContent-Length: ${32 * MIB}\r\n\r\n`);
  socket.write(Buffer.alloc(32 * MIB));
  await vi.waitFor(() => expect(isStalled()).toBe(true), { timeout: 30_000 });
  // As long as another one takes for all of it, this one had time for as much.
  const headers = { "x-api-key": KEY, "content-type": "application/octet-stream" };
  const whole = await fetch(`${url}${API}/sessions/s1/files/quick`, { method: "PUT", headers, body: Buffer.alloc(32 * MIB) });
  expect(await whole.json()).toMatchObject({ size: 32 * MIB });
  expect(socket.writableLength).toBeGreaterThan(16 * MIB);
});

/** The first file that is written to takes nothing. @returns whether there is one. */
function stallFirstFile(): () => boolean {
  let stalled: number | undefined;
  // A stream writes one piece with the first, several at once with the other.
  for (const name of ["write", "writev"] as const) {
    const write = fs[name] as (descriptor: number, ...rest: unknown[]) => void;
    const spy = vi.spyOn(fs, name).mockImplementation((descriptor: number, ...rest: unknown[]) => {
      stalled ??= descriptor;
      if (descriptor !== stalled) write(descriptor, ...rest);
    });
    onTestFinished(() => spy.mockRestore());
  }
  return () => stalled !== undefined;
}
