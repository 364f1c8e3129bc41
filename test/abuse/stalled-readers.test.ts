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

test("an upload waits with its sender while the disk takes nothing", async () => {
  const { url, call } = await startVictim();
  const write = vi.spyOn(fs, "write").mockReturnValue();
  onTestFinished(() => write.mockRestore());
  const socket = await openSocket(url);
  socket.write(`PUT ${API}/sessions/s1/files/slow HTTP/1.1\r\n${LET_IN.join("\r\n")}\r\nContent-Length: ${64 * MIB}\r\n\r\n`);
  socket.write(Buffer.alloc(64 * MIB));
  await vi.waitFor(() => expect(write).toHaveBeenCalled(), { timeout: 30_000 });
  for (let count = 0; count < 20; count += 1) expect((await call("GET", "/health")).statusCode).toBe(200);
  expect(socket.writableLength).toBeGreaterThan(32 * MIB);
});
