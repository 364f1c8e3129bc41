/**
 * Messages on a kernel's own sockets from who can reach them but has not its key: forged, cut off, nested without end, of no shape at all. Where a kernel took one
 * for the server's, it would run foreign code; where one broke its loop, its session would hang.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Dealer, Request } from "zeromq";
import { channelAddress, type ConnectionInfo } from "../../src/kernel/connection.ts";
import { WireCodec } from "../../src/kernel/wire.ts";
import { startLiveServer } from "../helpers/server.ts";
import { whenDone } from "../helpers/when-done.ts";

const HEADER = {
  msg_id: "forged",
  msg_type: "execute_request",
  session: "attacker",
  username: "",
  date: "2026-01-01T00:00:00Z",
  version: "5.4",
};
const EXECUTE = {
  code: "forged = True",
  silent: false,
  store_history: true,
  user_expressions: {},
  allow_stdin: false,
  stop_on_error: true,
};
const SHUTDOWN = { header: { ...HEADER, msg_type: "shutdown_request" }, content: { restart: false } };

test("run nothing, end nothing, and leave the kernel to its session", async () => {
  const { session, run, workDir } = await startLiveServer();
  const path = await session();
  await run(path, "kept = 1");
  const { connection, pid } = await kernelOf(workDir, path);

  const forger = new WireCodec("another key");
  const unsigned = new WireCodec("");
  const message = { header: HEADER, parent_header: {}, metadata: {}, content: EXECUTE, buffers: [] };
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const hostile: (Uint8Array | string)[][] = [
    forger.encode(message),
    forger.encode({ ...message, ...SHUTDOWN }),
    unsigned.encode(message),
    unsigned.encode({ ...message, ...SHUTDOWN }),
    forger.encode(message).slice(0, 3),
    [],
    [""],
    ["<IDS|MSG>"],
    ["<IDS|MSG>", "", "", "", "", ""],
    ["<IDS|MSG>", "00", "null", "1", '"x"', "[]"],
    ["<IDS|MSG>", "", deep, deep, deep, deep],
    ["<IDS|MSG>", new Uint8Array(64), new Uint8Array([0xff, 0xfe]), "{}", "{}", "{}"],
    [new Uint8Array(5_000_000)],
    Array.from({ length: 1000 }, () => "x"),
  ];
  for (const channel of ["shell", "control", "stdin"] as const) {
    const socket = new Dealer({ linger: 1000 });
    whenDone(() => socket.close());
    socket.connect(channelAddress(connection, channel));
    for (const frames of hostile) if (frames.length > 0) await socket.send(frames);
  }
  const heart = new Request({ linger: 1000 });
  whenDone(() => heart.close());
  heart.connect(channelAddress(connection, "hb"));
  await heart.send([new Uint8Array(1000)]);
  await heart.receive();

  // The kernel reads in order: what comes after has been read behind all of it.
  await vi.waitFor(async () => expect((await run(path, "kept")).output).toBe(1));
  expect((await run(path, "import os; ['forged' in globals(), os.getpid()]")).output).toEqual([false, pid]);
});

async function kernelOf(workDir: string, path: string): Promise<{ connection: ConnectionInfo; pid: number }> {
  const record = await readFile(join(workDir, path, "ces/session.json"), "utf8");
  return (JSON.parse(record) as { kernel: { connection: ConnectionInfo; pid: number } }).kernel;
}
