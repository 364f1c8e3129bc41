/**
 * Slow clients: many connections that send a byte now and then, or never read what they asked for, so that the server runs out of whatever it keeps for each
 * (slowloris). What is kept must be little, and what never goes on must end.
 */
import type { Socket } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { openSocket, parseAnswer } from "../helpers/raw-http.ts";
import { hold } from "../helpers/fake-session.ts";
import { sharedByAll } from "../helpers/when-done.ts";
import { API, expectUnharmed, LET_IN, startVictim } from "./victim.ts";

const accepted: Socket[] = [];
const victim = sharedByAll(async () => {
  const started = await startVictim();
  started.app.server.on("connection", (socket) => accepted.push(socket));
  return started;
});
afterEach(() => expectUnharmed(victim()));

test("300 connections whose headers never end keep nobody else waiting", async () => {
  const sockets = await Promise.all(Array.from({ length: 300 }, () => openSocket(victim().url)));
  for (const socket of sockets) socket.write(`GET ${API}/health HTTP/1.1\r\nHost: loc`);
  for (let count = 0; count < 20; count += 1) {
    for (const socket of sockets) socket.write("a");
    expect((await fetch(`${victim().url}${API}/health`)).status).toBe(200);
  }
});

test("headers that do not come in time are answered and hung up on", async () => {
  const { app, url } = victim();
  expect(app.server.headersTimeout).toBeLessThanOrEqual(60_000);
  expect(app.server.requestTimeout).toBe(0);
  const socket = await openSocket(url);
  const answer = textOf(socket);
  socket.write(`GET ${API}/health HTTP/1.1\r\nHost: loc`);
  // What Node does when the time is over.
  app.server.emit(
    "clientError",
    Object.assign(new Error("Request timeout"), { code: "ERR_HTTP_REQUEST_TIMEOUT" }),
    await serverEnd(socket),
  );
  expect(parseAnswer(await answer)).toMatchObject({ status: 422, body: expect.stringContaining("did not arrive in time") });
});

test.each([
  ["JSON", `POST ${API}/sessions HTTP/1.1`, '{"session_id":'],
  ["a file", `PUT ${API}/sessions/s1/files/slow HTTP/1.1`, "half of it"],
])("%s that stops arriving is given up after a minute, and nothing of it stays", async (_, line, part) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { url, store, call } = victim();
  const socket = await openSocket(url);
  const answer = textOf(socket);
  const begun = new Promise((resolve) => victim().app.server.once("request", resolve));
  socket.write(`${line}\r\n${LET_IN.join("\r\n")}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n${part}`);
  await begun;
  // The server makes ready what is to take the body before it waits.
  while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve));
  await vi.advanceTimersByTimeAsync(61_000);
  vi.useRealTimers();
  await answer;
  expect(store.count).toBe(1);
  expect((await call("GET", "/sessions/s1/files")).json()).toEqual({ files: [] });
});

test("200 readers that never read a stream hold no more than their sockets", async () => {
  const { call, kernels, url } = await startVictim();
  const held = hold(kernels);
  await call("POST", "/sessions/s1/execute", { exec_id: "big", code: "", stream: true });
  const execution = await held.next();
  const sockets = await Promise.all(Array.from({ length: 200 }, () => openSocket(url)));
  for (const socket of sockets) {
    socket.pause();
    socket.write(`GET ${API}/sessions/s1/execute/big/stream HTTP/1.1\r\n${LET_IN.join("\r\n")}\r\n\r\n`);
  }
  const before = process.memoryUsage().rss;
  for (let count = 0; count < 40; count += 1) execution.stream("stdout", "x".repeat(25));
  execution.succeed();
  await vi.waitFor(async () => expect((await call("GET", "/sessions/s1/execute/big")).json().state).toBe("done"));
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
});

test("connections that come and go without a word leave nothing", async () => {
  const { app, url } = victim();
  for (let round = 0; round < 5; round += 1) {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => openSocket(url)));
    for (const socket of sockets) socket.destroy();
  }
  const connections = () => new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)));
  await vi.waitFor(async () => expect(await connections()).toBeLessThan(20));
});

function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => (text += String(chunk)));
  return new Promise((resolve) => socket.once("close", () => resolve(text)));
}

/** The server's end of a client's socket. */
async function serverEnd(client: Socket): Promise<Socket> {
  return vi.waitFor(() => {
    const found = accepted.find((socket) => socket.remotePort === client.localPort);
    if (found === undefined) throw new Error("not yet accepted");
    return found;
  });
}
