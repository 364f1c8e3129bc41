/** The WebSocket to a session's kernel: what it refuses, and what becomes of clients that do not read. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import WebSocket, { type ClientOptions } from "ws";
import { kernelIdOf } from "../../../src/http/jupyter/kernel-id.ts";
import { decodeFrame, encodeFrame, V1_PROTOCOL } from "../../../src/http/jupyter/wire.ts";
import type { GuestMessage } from "../../../src/session/guest-clients.ts";
import { settle } from "../../helpers/fake-session.ts";
import { KEY, openAppWithSession, type TestApp } from "../../helpers/test-app.ts";
import { whenDone } from "../../helpers/when-done.ts";

const MIB = 1024 * 1024;

describe("the handshake", () => {
  test.each([
    [["v1.kernel.websocket.jupyter.org"], V1_PROTOCOL],
    [["other", "v1.kernel.websocket.jupyter.org"], V1_PROTOCOL],
    [[], ""],
  ])("with %j offered agrees on %j", async (offered, agreed) => {
    const { socket } = await connect(await openAppWithSession(), offered);
    expect(socket.protocol).toBe(agreed);
  });

  test("is refused with a plain answer and a closed connection where the door is shut", async () => {
    const test = await openAppWithSession();
    const url = await test.serve();
    const knock = async (path: string, options: ClientOptions): Promise<number> => {
      const socket = new WebSocket(url.replace("http", "ws") + path, options);
      const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
      response.resume();
      await once(response, "close");
      return response.statusCode ?? 0;
    };
    const channels = `/api/kernels/${kernelIdOf("s1")}/channels`;
    expect(await knock(`${channels}?token=wrong`, {})).toBe(401);
    expect(await knock(`${channels}?token=${KEY}`, { origin: "https://evil.example" })).toBe(403);
    expect(await knock(`/api/kernels/unknown/channels?token=${KEY}`, {})).toBe(404);
    await test.store.remove("s1");
    expect(await knock(`${channels}?token=${KEY}`, {})).toBe(404);
    test.store.refuseNewWork();
    expect(await knock(`${channels}?token=${KEY}`, {})).toBe(503);
  });
});

describe("a client that sends", () => {
  test("what is no kernel message is hung up on", async () => {
    const { socket } = await connect(await openAppWithSession());
    socket.send("nonsense");
    expect((await once(socket, "close"))[0]).toBe(1007);
  });

  test("more than a request may hold is hung up on", async () => {
    const { socket } = await connect(await openAppWithSession({ settings: { maxBodyBytes: 1000 } }));
    socket.send("x".repeat(1001));
    expect((await once(socket, "close"))[0]).toBe(1009);
  });

  test("counts as a user of the server and of the session", async () => {
    const test = await openAppWithSession();
    const { socket, until } = await connect(test);
    const before = Date.parse(test.store.get("s1").info.last_activity);
    test.kernels.last.kernel.on("kernel_info_request", (request) => void request.answer({ protocol_version: "5.4", language_info: {} }));
    socket.send(encodeFrame(message("kernel_info_request"), "").data);
    await until(({ header }) => header.msg_type === "kernel_info_reply");
    expect(Date.parse(test.store.get("s1").info.last_activity)).toBeGreaterThanOrEqual(before);
    expect(test.store.get("s1").guests.count).toBe(1);
    socket.close();
    await once(socket, "close");
    await settle();
    expect(test.store.get("s1").guests.count).toBe(0);
  });
});

describe("a client that does not read", () => {
  test("misses text once too much waits, is told so, and gets all else", async () => {
    const test = await openAppWithSession();
    const { socket, until } = await connect(test);
    const { kernel } = test.kernels.last;
    socket.pause();
    for (let index = 0; index < 40; index += 1) kernel.send("iopub", "stream", { name: "stdout", text: "x".repeat(MIB) });
    kernel.send("iopub", "display_data", { data: { "text/plain": "shown" }, metadata: {} });
    await settle();
    let received = 0;
    const shown = until(({ header, content }) => {
      if (header.msg_type === "stream" && content["name"] === "stdout") received += 1;
      return header.msg_type === "display_data";
    });
    const note = until(({ content }) => content["name"] === "stderr");
    socket.resume();
    await shown;
    expect(received).toBeGreaterThanOrEqual(16);
    expect(received).toBeLessThan(40);
    expect((await note).content["text"]).toMatch("output is missing here");
  });

  test("is sent away where nothing may be left out and far too much waits", async () => {
    const test = await openAppWithSession();
    const { socket } = await connect(test);
    const { kernel } = test.kernels.last;
    socket.pause();
    const data = { "text/plain": "x".repeat(16 * MIB) };
    for (let index = 0; index < 12; index += 1) kernel.send("iopub", "display_data", { data, metadata: {} });
    await settle();
    expect(test.store.get("s1").guests.count).toBe(1);
    socket.resume();
    expect((await once(socket, "close"))[0]).toBe(1013);
    // Some hundred MiB are signed, parsed and sent on, on whatever else the machine does.
  }, 60_000);
});

describe("the end", () => {
  test("of the session is told as the kernel's death and a normal close", async () => {
    const test = await openAppWithSession();
    const { socket, until } = await connect(test);
    const dead = until(({ content }) => content["execution_state"] === "dead");
    const closed = once(socket, "close");
    await test.store.remove("s1");
    await dead;
    expect((await closed)[0]).toBe(1000);
  });

  test("of the server asks clients to come back, and waits for none that do not answer", async () => {
    const test = await openAppWithSession();
    const { socket } = await connect(test);
    const deaf = new WebSocket(socket.url.replace("session_id=lab", "session_id=other"));
    await once(deaf, "open");
    deaf.pause();
    whenDone(() => deaf.terminate());
    const closed = once(socket, "close");
    await test.app.close();
    expect((await closed)[0]).toBe(1012);
    expect(test.store.get("s1").guests.count).toBe(0);
  });
});

async function connect(test: TestApp, protocols: string[] = []) {
  const url = (await test.serve()).replace("http", "ws");
  const socket = new WebSocket(`${url}/api/kernels/${kernelIdOf("s1")}/channels?session_id=lab&token=${KEY}`, protocols);
  whenDone(async () => socket.terminate());
  await once(socket, "open");
  const until = (matches: (message: GuestMessage) => boolean): Promise<GuestMessage> =>
    new Promise((resolve) => {
      socket.on("message", (raw: Buffer, isBinary: boolean) => {
        const received = decodeFrame({ data: raw, isBinary }, socket.protocol);
        if (matches(received)) resolve(received);
      });
    });
  return { socket, until };
}

function message(type: string): GuestMessage {
  const header = { msg_id: "m1", msg_type: type, session: "lab", username: "", date: "", version: "5.3" };
  return { channel: "shell", header, parent_header: {}, metadata: {}, content: {}, buffers: [] };
}
