/** Finding a server, starting one, and holding it. */
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { resolveClientSettings, type ClientSettings, type FlagValues } from "../../../src/config.ts";
import { keepContainerKey } from "../../../src/launcher/container-key.ts";
import { ExecutionService, type LaunchedServer, type ServerExit, type ServerLauncher } from "../../../src/launcher/index.ts";
import { VERSION } from "../../../src/paths.ts";
import { FakeServer, sendError, sendJson } from "../client/fake-server.ts";

let folder: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "service-"));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

/** A server as ours answers, with leases. */
async function ours(options: { key?: string; version?: string; port?: number } = {}): Promise<FakeServer> {
  const server = await FakeServer.start(options.port);
  cleanups.push(() => server.close());
  const { key, version = "0.1.0" } = options;
  server.on("GET", /\/health$/, (_request, response) => sendJson(response, 200, { status: "healthy", version, active_sessions: 0 }));
  server.on("GET", /\/sessions$/, (request, response) => {
    if (key !== undefined && request.headers["x-api-key"] !== key) sendError(response, 401, "unauthorized", "An API key is needed.");
    else sendJson(response, 200, { sessions: [] });
  });
  server.on("POST", /\/leases\//, (_request, response) => sendJson(response, 201, {}));
  server.on("DELETE", /\/leases\//, (_request, response) => sendJson(response, 200, {}));
  return server;
}

function settingsFor(flags: FlagValues): ClientSettings {
  return resolveClientSettings({ work_dir: folder, ...flags }, {}, null);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A launcher that starts nothing by itself. */
class FakeLauncher implements ServerLauncher {
  launches = 0;
  isDetached = false;
  isTerminated = false;
  lines: string[] = [];
  words = "";
  end: (exit: ServerExit) => void = () => undefined;
  readonly #onLaunch: () => Promise<string>;

  constructor(onLaunch: () => Promise<string>) {
    this.#onLaunch = onLaunch;
  }

  async launch(): Promise<LaunchedServer> {
    this.launches += 1;
    const exited = new Promise<ServerExit>((resolve) => (this.end = resolve));
    return {
      url: await this.#onLaunch(),
      apiKey: null,
      fetch: undefined,
      exited,
      newLines: () => Promise.resolve(this.lines.splice(0)),
      lastWords: () => Promise.resolve(this.words),
      detach: () => (this.isDetached = true),
      terminate: () => {
        this.isTerminated = true;
        return Promise.resolve();
      },
    };
  }
}

test("a server that runs is used, and held by a lease until the service closes", async () => {
  const server = await ours();
  const service = await ExecutionService.open(settingsFor({ url: server.url }));
  expect(service.isStarted).toBe(false);
  expect(server.seen("POST", /\/leases\//)).toHaveLength(1);
  await service.close();
  await service.close();
  expect(server.seen("DELETE", /\/leases\//)).toHaveLength(1);
});

test("a server that knows no leases is used without one", async () => {
  const server = await ours();
  server.on("POST", /\/leases\//, (_request, response) => sendError(response, 404, "not_found", "There is nothing at this path."));
  await using service = await ExecutionService.open(settingsFor({ url: server.url }));
  expect(service.isStarted).toBe(false);
});

test("where nobody answers a server is started, its words passed on, and let go when it answers", async () => {
  const launcher = new FakeLauncher(async () => (await ours()).url);
  launcher.lines = ["Making the Python environment"];
  const progress: string[] = [];
  const settings = settingsFor({ port: await freePort() });
  await using service = await ExecutionService.open(settings, { launcher, onProgress: (line) => progress.push(line) });
  expect([service.isStarted, launcher.launches, launcher.isDetached]).toEqual([true, 1, true]);
  expect(progress).toEqual(["Making the Python environment"]);
});

test("a URL elsewhere is never started", async () => {
  const launcher = new FakeLauncher(() => Promise.reject(new Error("started")));
  const port = await freePort();
  await expect(ExecutionService.open(settingsFor({ url: `http://127.0.0.1:${port}/executor` }), { launcher })).rejects.toMatchObject({
    code: "connection_refused",
  });
  await expect(
    ExecutionService.open(settingsFor({ url: `http://127.0.0.1:${port}`, auto_start: false }), { launcher }),
  ).rejects.toMatchObject({
    code: "connection_refused",
  });
  expect(launcher.launches).toBe(0);
});

test("a stranger on the port is told from a server, and nothing is started beside it", async () => {
  const stranger = await FakeServer.start();
  cleanups.push(() => stranger.close());
  stranger.on("GET", /./, (_request, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>"));
  const launcher = new FakeLauncher(() => Promise.reject(new Error("started")));
  await expect(ExecutionService.open(settingsFor({ url: stranger.url }), { launcher })).rejects.toMatchObject({ code: "wrong_server" });
  expect(launcher.launches).toBe(0);
});

test("a server that is slow to answer is told of meanwhile", async () => {
  const server = await FakeServer.start();
  cleanups.push(() => server.close());
  server.on("GET", /./, () => undefined);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const progress: string[] = [];
    const controller = new AbortController();
    const onProgress = (line: string) => progress.push(line);
    const opening = ExecutionService.open(settingsFor({ url: server.url, auto_start: false }), { onProgress, signal: controller.signal });
    vi.advanceTimersByTime(2_999);
    expect(progress).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(progress).toEqual([`Waiting for an answer from ${server.url}`]);
    controller.abort();
    await expect(opening).rejects.toMatchObject({ code: "aborted" });
  } finally {
    vi.useRealTimers();
  }
});

test("a wrong key is said to be that", async () => {
  const server = await ours({ key: "right" });
  await expect(ExecutionService.open(settingsFor({ url: server.url, api_key: "wrong" }))).rejects.toMatchObject({ code: "unauthorized" });
});

test("the key that a server made in its work directory is found there", async () => {
  const server = await ours({ key: "made" });
  writeFileSync(join(folder, "api-key"), "made\n");
  await using service = await ExecutionService.open(settingsFor({ url: server.url }));
  expect(await service.client.listSessions()).toEqual([]);
});

test("the key of a container that runs is found also by who may start none", async () => {
  const server = await ours({ key: "made" });
  vi.stubEnv("XDG_STATE_HOME", folder);
  try {
    const settings = settingsFor({ url: server.url, container: true, auto_start: false });
    await keepContainerKey(settings, "made", process.env);
    await using service = await ExecutionService.open(settings);
    expect(await service.client.listSessions()).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("a key that was made here is sent to no other machine", async () => {
  writeFileSync(join(folder, "api-key"), "made\n");
  const keys: (string | null)[] = [];
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    keys.push(new Headers(init.headers).get("x-api-key"));
    if (url.endsWith("/health")) return Promise.resolve(Response.json({ status: "healthy", version: VERSION, active_sessions: 0 }));
    return Promise.resolve(Response.json({ detail: "An API key is needed.", code: "unauthorized" }, { status: 401 }));
  });
  try {
    const opening = ExecutionService.open(settingsFor({ url: "http://executor.example.org:8000" }));
    await expect(opening).rejects.toMatchObject({ code: "unauthorized" });
    expect(keys).toEqual([null, null]);
  } finally {
    vi.unstubAllGlobals();
  }
});

test("a server of another version is used, with a word about it", async () => {
  const server = await ours({ version: "9.8.7" });
  const progress: string[] = [];
  await using service = await ExecutionService.open(settingsFor({ url: server.url }), { onProgress: (line) => progress.push(line) });
  expect(service.isStarted).toBe(false);
  expect(progress.join()).toContain("9.8.7");
});

test("a server that speaks another protocol is said to be that, with both versions", async () => {
  const server = await ours({ version: "0.0.9" });
  // As frameworks answer that know nothing of our errors.
  server.on("GET", /\/sessions$/, (_request, response) => sendJson(response, 405, { detail: "Method Not Allowed" }));
  const older = expect.objectContaining({
    code: "wrong_server",
    message: expect.stringContaining(`The server at ${server.url} is version 0.0.9, and does not speak as this client (${VERSION}) does`),
  });
  await expect(ExecutionService.open(settingsFor({ url: server.url, auto_start: false }))).rejects.toEqual(older);
  server.on("GET", /\/sessions$/, (_request, response) => sendError(response, 404, "not_found", "There is nothing at this path."));
  await expect(ExecutionService.open(settingsFor({ url: server.url, auto_start: false }))).rejects.toEqual(older);
});

test("a server that is about to end is followed by another", async () => {
  const server = await ours();
  server.on("POST", /\/leases\//, (_request, response) => {
    sendError(response, 503, "shutting_down", "The server is shutting down.");
    void server.close();
  });
  const port = Number(new URL(server.url).port);
  const launcher = new FakeLauncher(async () => (await ours({ port })).url);
  await using service = await ExecutionService.open(settingsFor({ port }), { launcher });
  expect([service.isStarted, launcher.launches]).toEqual([true, 1]);
});

test("a lease that a server elsewhere refuses since it ends is done without", async () => {
  const server = await ours();
  server.on("POST", /\/leases\//, (_request, response) => sendError(response, 503, "shutting_down", "The server is shutting down."));
  await using service = await ExecutionService.open(settingsFor({ url: server.url, auto_start: false }));
  expect(await service.client.listSessions()).toEqual([]);
});

test("a server that ends in good order before it answers is started once more", async () => {
  const port = await freePort();
  const launcher = new FakeLauncher(async () => {
    if (launcher.launches > 1) await ours({ port });
    return `http://127.0.0.1:${port}`;
  });
  const opening = ExecutionService.open(settingsFor({ port }), { launcher });
  await expect.poll(() => launcher.launches).toBe(1);
  launcher.end({ exitCode: 0, signal: null });
  await using service = await opening;
  expect([service.isStarted, launcher.launches]).toEqual([true, 2]);
});

test("another client that holds the right to start and does nothing any more is named", async () => {
  const lock = join(folder, "server.starting");
  writeFileSync(lock, `${process.pid} held`);
  const settings = settingsFor({ port: await freePort() });
  const launcher = new FakeLauncher(() => Promise.reject(new Error("started")));
  const aMinuteAgo = new Date(Date.now() - 60_000);
  utimesSync(lock, aMinuteAgo, aMinuteAgo);
  await expect(ExecutionService.open(settings, { launcher, silenceTimeoutMs: 300 })).rejects.toThrow(
    `Another client (process ${process.pid}) holds the right to start the server and does nothing`,
  );
});

test("a server that fails to start is quoted", async () => {
  const port = await freePort();
  const launcher = new FakeLauncher(() => Promise.resolve(`http://127.0.0.1:${port}`));
  launcher.words = "taskweaver: There is no Python.";
  const opening = ExecutionService.open(settingsFor({ port }), { launcher });
  await expect.poll(() => launcher.launches).toBe(1);
  launcher.end({ exitCode: 2, signal: null });
  await expect(opening).rejects.toThrow(/could not be started \(exit code 2\)\. Its last words:\n {2}taskweaver: There is no Python\./);
});

test("one that says nothing for too long is ended", async () => {
  const port = await freePort();
  const launcher = new FakeLauncher(() => Promise.resolve(`http://127.0.0.1:${port}`));
  await expect(ExecutionService.open(settingsFor({ port }), { launcher, silenceTimeoutMs: 300 })).rejects.toThrow(/did not answer/);
  expect(launcher.isTerminated).toBe(true);
});

test("giving up ends what was being started", async () => {
  const port = await freePort();
  const launcher = new FakeLauncher(() => Promise.resolve(`http://127.0.0.1:${port}`));
  const controller = new AbortController();
  const opening = ExecutionService.open(settingsFor({ port }), { launcher, signal: controller.signal });
  await expect.poll(() => launcher.launches).toBe(1);
  controller.abort();
  await expect(opening).rejects.toThrow();
  expect(launcher.isTerminated).toBe(true);
});

test("two clients that start at once end up with one server", async () => {
  const port = await freePort();
  const settings = settingsFor({ url: `http://127.0.0.1:${port}` });
  const launcher = new FakeLauncher(async () => (await ours({ port })).url);
  const services = await Promise.all([1, 2, 3].map(() => ExecutionService.open(settings, { launcher })));
  expect(launcher.launches).toBe(1);
  expect(services.filter(({ isStarted }) => isStarted)).toHaveLength(1);
  for (const service of services) await service.close();
});

test("a lock that a killed client left keeps nobody from starting", async () => {
  // No process has this id: it is beyond what Linux gives out.
  writeFileSync(join(folder, "server.starting"), "2147483646");
  const launcher = new FakeLauncher(async () => (await ours()).url);
  await using service = await ExecutionService.open(settingsFor({ port: await freePort() }), { launcher });
  expect(service.isStarted).toBe(true);
});

test("a lock that a killed client left is removed where its server answers", async () => {
  writeFileSync(join(folder, "server.starting"), "2147483646");
  const server = await ours();
  const service = await ExecutionService.open(settingsFor({ port: Number(new URL(server.url).port) }));
  await service.close();
  expect(existsSync(join(folder, "server.starting"))).toBe(false);
});

test("of two servers that raced for the port the one that answers is taken", async () => {
  const server = await ours();
  const port = await freePort();
  const settings = { ...settingsFor({ port }) };
  const launcher = new FakeLauncher(() => {
    // The other client's server answers by now; ours finds the port taken and ends.
    settings.url = server.url;
    settings.port = Number(new URL(server.url).port);
    return Promise.resolve(`http://127.0.0.1:${port}`);
  });
  launcher.words = `taskweaver: Port ${port} on localhost is in use.`;
  const opening = ExecutionService.open(settings, { launcher });
  await expect.poll(() => launcher.launches).toBe(1);
  launcher.end({ exitCode: 2, signal: null });
  await using service = await opening;
  expect(service.isStarted).toBe(false);
});
