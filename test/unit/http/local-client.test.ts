/** Who counts as local: over real sockets, since it is the socket that tells. */
import { execFile } from "node:child_process";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { isLoopbackAddress, isLoopbackHost } from "../../../src/http/local-client.ts";
import { isOwnedByUs } from "../../../src/http/socket-owner.ts";
import { API, openApp } from "../../helpers/test-app.ts";
import { sharedByAll, whenDone } from "../../helpers/when-done.ts";

const server = sharedByAll(async () => {
  const test = await openApp();
  return { ...test, url: await test.serve("localhost") };
});

describe("a program of the same user on this machine", () => {
  test("needs no key, by whatever loopback name", async () => {
    const { port } = new URL(server().url);
    for (const host of ["localhost", "127.0.0.1", "LOCALHOST"])
      expect((await fetch(`http://${host}:${port}${API}/sessions`)).status).toBe(200);
  });

  test("needs it where the server asks everybody", async () => {
    const { serve } = await openApp({ settings: { requireKey: true } });
    expect((await fetch(`${await serve()}${API}/sessions`)).status).toBe(401);
  });

  test("needs none where the server has none, whatever it sends as one", async () => {
    const { serve } = await openApp({ settings: { apiKey: null } });
    const url = `${await serve()}${API}/sessions`;
    expect((await fetch(url, { headers: { "X-API-Key": "your-key" } })).status).toBe(200);
  });

  test.each(["Forwarded: for=1.2.3.4", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Whatever: 1", "X-Real-IP: 127.0.0.1", "Via: 1.1 proxy"])(
    "that passes on for another (%s) needs the key",
    async (header) => {
      expect(await ask(`Host: localhost\r\n${header}`)).toMatch(/^HTTP\/1.1 401 .*"code":"unauthorized"/s);
    },
  );

  test.each([
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "0.0.0.0",
    "[::]",
    "2130706433",
    "localhost:x",
  ])("that calls the server %s may be a web page whose name was made to point here: 403", async (host) => {
    expect(await ask(`Host: ${host}`)).toMatch(/^HTTP\/1.1 403 .*"code":"host_refused"/s);
  });

  test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)("of another user needs the key", async () => {
    const { port } = new URL(server().url);
    const code = `fetch("http://127.0.0.1:${port}${API}/sessions").then(async (r) => console.log(r.status, await r.text()))`;
    const asNobody = { uid: 65534, gid: 65534, env: {}, cwd: "/" };
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", code], asNobody);
    expect(stdout).toMatch(/^401 .*unauthorized/);
    const { stdout: asRoot } = await promisify(execFile)(process.execPath, ["-e", code], { ...asNobody, uid: 0, gid: 0 });
    expect(asRoot).toMatch(/^200 /);
  });

  test("keeps that right on a connection that it uses again", async () => {
    const { port } = new URL(server().url);
    const socket = connect(Number(port), "127.0.0.1");
    whenDone(() => socket.destroy());
    for (let count = 0; count < 3; count += 1) expect(await askOn(socket, "Host: localhost", false)).toMatch(/^HTTP\/1.1 200/);
  });
});

describe("the owner of a connection", () => {
  test.skipIf(process.platform !== "linux")("is found over IPv4, IPv6 and IPv4 within IPv6", async () => {
    for (const [listenOn, connectTo] of [
      ["127.0.0.1", "127.0.0.1"],
      ["127.0.0.1", "127.5.6.7"],
      ["::1", "::1"],
      ["::", "127.0.0.1"],
      ["::", "::1"],
    ] as const) {
      const accepted = await acceptedSocket(listenOn === "127.0.0.1" && connectTo !== listenOn ? "0.0.0.0" : listenOn, connectTo);
      if (accepted !== undefined) expect([listenOn, connectTo, await isOwnedByUs(accepted)]).toEqual([listenOn, connectTo, true]);
    }
  });

  test.skipIf(process.platform !== "linux")("is foreign where no row tells: a connection that is not there, or is over", async () => {
    const nobody = { remoteAddress: "127.0.0.1", remotePort: 1, localAddress: "127.0.0.1", localPort: 2 };
    expect(await isOwnedByUs(nobody)).toBe(false);
    expect(await isOwnedByUs({} as Socket)).toBe(false);
    const accepted = await acceptedSocket("127.0.0.1", "127.0.0.1", (client) => client.end());
    expect(await isOwnedByUs(accepted!)).toBe(false);
  });
});

test.each([
  ["127.0.0.1", true],
  ["127.255.255.254", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["::FFFF:127.0.0.1", true],
  ["::ffff:192.0.2.7", false],
  ["::", false],
  ["10.0.0.1", false],
  ["1.127.0.0.1", false],
  ["localhost", false],
  [undefined, false],
])("the address %s is of this machine itself: %s", (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});

test.each([
  ["localhost", true],
  ["LocalHost:8000", true],
  ["127.0.0.1:1", true],
  ["[::1]:8000", true],
  ["[::1]", true],
  ["::1", false],
  ["localhost.", false],
  ["localhost:", false],
  ["localhost:123456", false],
  ["", false],
  [undefined, false],
])("the host %s names this machine itself: %s", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

async function ask(headers: string): Promise<string> {
  const socket = connect(Number(new URL(server().url).port), "127.0.0.1");
  whenDone(() => socket.destroy());
  return askOn(socket, headers, true);
}

/** Sends one request; resolves with the answer, read to its end where the connection ends with it. */
async function askOn(socket: Socket, headers: string, isLast: boolean): Promise<string> {
  socket.write(`GET ${API}/sessions HTTP/1.1\r\n${headers}\r\n${isLast ? "Connection: close\r\n" : ""}\r\n`);
  let text = "";
  while (!(isLast ? socket.readableEnded : text.includes('"sessions"'))) {
    const [chunk] = (await Promise.race([once(socket, "data"), once(socket, "end").then(() => [""])])) as [Buffer | string];
    text += String(chunk);
    if (isLast && chunk === "") break;
  }
  return text;
}

/** The server's end of a new connection; undefined where the machine has no such address. */
async function acceptedSocket(listenOn: string, connectTo: string, then?: (client: Socket) => void): Promise<Socket | undefined> {
  const listening = createServer().listen(0, listenOn);
  whenDone(() => void listening.close());
  try {
    await once(listening, "listening");
  } catch {
    return undefined;
  }
  const accepting = once(listening, "connection") as Promise<[Socket]>;
  const client = connect((listening.address() as AddressInfo).port, connectTo);
  const [accepted] = await accepting;
  whenDone(() => [client, accepted].forEach((socket) => socket.destroy()));
  if (then !== undefined) {
    then(client);
    accepted.resume();
    await once(accepted, "end");
  }
  return accepted;
}
