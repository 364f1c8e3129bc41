/** Where the server listens, and how it ends. */
import { once } from "node:events";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import fastify, { type FastifyInstance } from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { createHttpServer } from "../../../src/http/http-server.ts";
import { checkPortFree, isLoopbackBind, listen, type Listener, type ListenTarget } from "../../../src/http/listen.ts";
import { temporaryFolder } from "../../helpers/fake-session.ts";

const ANY: ListenTarget = { host: "127.0.0.1", port: 0, socketPath: null };

describe("listening", () => {
  test("on localhost answers on 127.0.0.1 and, where the machine has it, on ::1", async () => {
    const { url } = await start({ host: "localhost" });
    const { port } = new URL(url);
    expect(url).toBe(`http://localhost:${port}`);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("hello");
    if (await hasIpv6()) expect(await (await fetch(`http://[::1]:${port}/`)).text()).toBe("hello");
  });

  test("on one address answers there alone", async () => {
    const { url } = await start();
    expect(await (await fetch(url)).text()).toBe("hello");
    if (await hasIpv6()) await expect(fetch(`http://[::1]:${new URL(url).port}/`)).rejects.toThrow();
  });

  test("on an IPv6 address gives a URL with brackets", async () => {
    if (!(await hasIpv6())) return;
    const { url } = await start({ host: "::1" });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(url)).status).toBe(200);
  });

  test("on a taken port is refused with the port and what to do, early and late", async () => {
    const port = await takenPort("127.0.0.1");
    for (const act of [checkPortFree, start]) {
      await expect(act({ ...ANY, port })).rejects.toMatchObject({
        name: "UsageError",
        message: `Port ${port} on 127.0.0.1 is in use. Stop what listens there (lsof -i :${port} shows it), or choose another with --port.`,
      });
    }
  });

  test("on localhost is refused where the port is taken on one of its addresses only", async () => {
    if (!(await hasIpv6())) return;
    const port = await takenPort("::1");
    for (const act of [checkPortFree, start]) await expect(act({ ...ANY, host: "localhost", port })).rejects.toThrow(`Port ${port}`);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  test("on a name that is no address of this machine is refused with a sentence", async () => {
    for (const host of ["192.0.2.1", "no-such-host.invalid"]) {
      await expect(start({ host })).rejects.toMatchObject({
        name: "UsageError",
        message: expect.stringContaining("no address of this machine"),
      });
    }
  });

  test("leaves a free port free after looking", async () => {
    const port = await takenPort("127.0.0.1", true);
    await checkPortFree({ ...ANY, port });
    expect((await start({ port })).url).toContain(String(port));
  });
});

describe("a Unix socket", () => {
  test("is for its owner only, and goes with the server", async () => {
    const socketPath = join(await temporaryFolder(), "s.sock");
    const listener = await start({ socketPath });
    expect(listener.url).toBe(`unix:${socketPath}`);
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    expect(await getOverSocket(socketPath)).toBe("hello");
    await listener.close(100);
    await expect(stat(socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("left by a killed server is replaced, one that is answered is not", async () => {
    const folder = await temporaryFolder();
    const socketPath = join(folder, "s.sock");
    await start({ socketPath });
    await expect(start({ socketPath })).rejects.toThrow("Another server listens on");
    const file = join(folder, "file");
    await writeFile(file, "");
    await mkdir(join(folder, "folder"));
    for (const other of [file, join(folder, "folder")]) await expect(start({ socketPath: other })).rejects.toThrow("is no socket");
  });
});

describe("closing", () => {
  test("lets an answer that is under way out, and takes no new connection", async () => {
    let answer: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let finish: () => void = () => {};
    const listener = await start({}, (app) =>
      app.get("/slow", async () => {
        answer();
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        return "x".repeat(1_000_000);
      }),
    );
    const slow = fetch(`${listener.url}/slow`);
    await begun;
    const closing = listener.close(60_000);
    await expect(fetch(listener.url)).rejects.toThrow();
    finish();
    expect(await (await slow).text()).toHaveLength(1_000_000);
    await closing;
  });

  test("does not wait for idle connections, nor longer than its time for those that never end", async () => {
    const listener = await start({}, (app) => app.get("/never", () => new Promise(() => {})));
    await (await fetch(listener.url)).text();
    const never = fetch(`${listener.url}/never`).catch((error: unknown) => error);
    const idle = connect(Number(new URL(listener.url).port), "127.0.0.1");
    await once(idle, "connect");
    const ended = new Promise((resolve) => idle.on("error", () => {}).once("close", resolve));
    await listener.close(10);
    expect(await never).toBeInstanceOf(Error);
    await ended;
  });

  test("twice, or of one that never began, is no fault", async () => {
    const listener = await start();
    await Promise.all([listener.close(10), listener.close(10)]);
    await listener.close(10);
  });
});

test.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.168.1.2", false],
  ["localhost.example.com", false],
  ["127.0.0.1.example.com", false],
])("a bind to %s is reachable from this machine only: %s", (host, expected) => {
  expect(isLoopbackBind({ ...ANY, host })).toBe(expected);
  expect(isLoopbackBind({ ...ANY, host, socketPath: "/s" })).toBe(true);
});

async function start(over: Partial<ListenTarget> = {}, routes: (app: FastifyInstance) => unknown = () => {}): Promise<Listener> {
  const app = fastify({ forceCloseConnections: "idle", serverFactory: (handler) => createHttpServer(handler) });
  app.get("/", async () => "hello");
  routes(app);
  const listener = await listen(app, { ...ANY, ...over });
  onTestFinished(() => listener.close(0));
  return listener;
}

/** A port that something listens on; `free`: that something has just left. */
async function takenPort(host: string, free = false): Promise<number> {
  const server: Server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  if (free) await once(server.close(), "close");
  else onTestFinished(() => void server.close());
  return port;
}

async function hasIpv6(): Promise<boolean> {
  return takenPort("::1", true).then(
    () => true,
    () => false,
  );
}

function getOverSocket(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath, path: "/" }, (response) => {
      response.setEncoding("utf8").once("data", resolve);
    })
      .once("error", reject)
      .end();
  });
}
