/** A web page of somebody else's in the user's own browser, a real one: it sees nothing of a server that needs no key, and changes nothing. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import { CHROMIUM } from "./console-browser.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** A name that its owner lets point to this machine. */
const EVIL = "evil.example";
const FILES = {
  "script.js": "globalThis.stolen = 'secret'",
  "style.css": "body { color: rgb(1, 2, 3) }",
  "picture.svg": "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'/>",
  "page.html": "<script>document.title = 'ran'</script>",
};

describe.skipIf(CHROMIUM === undefined)("a web page of another origin", () => {
  let server: TestServer;
  let attacker: Server;
  let browser: Browser;
  let page: Page;
  let attackerPort: number;

  beforeAll(async () => {
    server = await startTestServer();
    const session = await server.client.start("mine");
    await session.executeCode("print('secret')", { executionId: "ran" });
    for (const [name, content] of Object.entries(FILES)) await session.uploadFile(name, content);
    attacker = createServer((_request, response) => response.setHeader("content-type", "text/html").end("<!doctype html><body>"));
    await new Promise<void>((resolve) => attacker.listen(0, "127.0.0.1", resolve));
    attackerPort = (attacker.address() as AddressInfo).port;
    const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", `--host-resolver-rules=MAP ${EVIL} 127.0.0.1`];
    browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args });
  });
  afterAll(async () => {
    await browser?.close();
    attacker?.close();
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    return () => page.close();
  });

  const expectUnchanged = async (): Promise<void> => {
    expect((await server.client.listSessions()).map(({ session_id: id, status }) => [id, status])).toEqual([["mine", "running"]]);
    expect((await server.client.session("mine").listExecutions()).map(({ execution_id: id }) => id)).toEqual(["ran"]);
    const files = await server.client.session("mine").listFiles();
    expect(files.map(({ path }) => path).toSorted()).toEqual(Object.keys(FILES).toSorted());
  };

  // The same site on another port is another origin, too.
  it.each(["127.0.0.1", "localhost", EVIL])("on %s changes nothing and reads nothing, whatever it sends", async (host) => {
    await page.goto(`http://${host}:${attackerPort}/`);
    const target = { root: `http://localhost:${server.port}`, sockets: `ws://localhost:${server.port}`, kernel: kernelIdOf("mine") };
    expect(await page.evaluate(attack, target)).toEqual([]);
    await expectUnchanged();
  });

  it("shows the console in no frame", async () => {
    await page.goto(`http://localhost:${attackerPort}/`);
    for (const path of ["/", "/docs", "/frame.html", "/api/v1/sessions", "/api/v1/sessions/mine/artifacts/page.html"]) {
      await page.evaluate(async (url) => {
        const frame = document.createElement("iframe");
        const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
        frame.src = url;
        document.body.append(frame);
        // A download is no load.
        await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 1500))]);
      }, `http://localhost:${server.port}${path}`);
    }
    const shown = await Promise.all(page.frames().map((frame) => frame.evaluate(() => [location.port, document.title]).catch(() => [])));
    expect(shown.filter(([port]) => port === String(server.port))).toEqual([]);
  });

  it("whose name was made to point here is told nothing", async () => {
    const url = `http://${EVIL}:${server.port}`;
    expect((await page.goto(`${url}/api/v1/sessions`))?.status()).toBe(403);
    // The console's files hold no secret, and are of the same origin as what the page asks, as the browser sees it.
    await page.goto(url);
    const statuses = await page.evaluate(async () => {
      const json = { "content-type": "application/json" };
      const answers = await Promise.all([
        fetch("/api/v1/sessions"),
        fetch("/api/v1/sessions", { method: "POST", headers: json, body: '{"session_id":"by-a-page"}' }),
        fetch("/api/v1/sessions/mine", { method: "DELETE" }),
        fetch("/api/v1/sessions/mine/artifacts/script.js"),
        fetch("/api/kernels"),
        fetch("/mcp", { method: "POST", headers: json, body: "{}" }),
      ]);
      return answers.map(({ status }) => status);
    });
    expect(statuses).toEqual([403, 403, 403, 403, 403, 403]);
    await expectUnchanged();
  });

  it("cannot be what the session's code wrote: opened by a link it is a download", async () => {
    const downloaded = page.waitForEvent("download");
    await page.goto(`http://localhost:${server.port}/api/v1/sessions/mine/artifacts/page.html`).catch(() => undefined);
    expect((await downloaded).suggestedFilename()).toBe("page.html");
    expect(await page.title()).not.toBe("ran");
  });
});

/** What a page can try, in the browser; gives what worked. */
async function attack({ root, sockets, kernel }: { root: string; sockets: string; kernel: string }): Promise<string[]> {
  const api = `${root}/api/v1`;
  const gained: string[] = [];
  const session = '{"session_id":"by-a-page"}';
  const code = '{"exec_id":"by-a-page","code":"1"}';
  const reads = [
    `${api}/sessions`,
    `${api}/sessions/mine/execute/ran`,
    `${api}/sessions/mine/artifacts/script.js`,
    `${root}/openapi.json`,
    `${root}/metrics`,
  ];
  for (const url of reads)
    await fetch(url)
      .then(() => gained.push(`read ${url}`))
      .catch(() => undefined);
  const simple = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
  for (const type of [...simple, "application/json"]) {
    for (const [path, body] of [
      ["/sessions", session],
      ["/sessions/mine/execute", code],
    ] as const) {
      const request = { method: "POST", headers: { "content-type": type }, body };
      await fetch(`${api}${path}`, { ...request, mode: "no-cors" }).catch(() => undefined);
      await fetch(`${api}${path}`, request)
        .then(() => gained.push(`sent ${type}`))
        .catch(() => undefined);
    }
    navigator.sendBeacon(`${api}/sessions`, new Blob([session], { type }));
  }
  await fetch(`${api}/sessions/mine`, { method: "DELETE" }).catch(() => undefined);
  await fetch(`${api}/sessions/mine/files/by-a-page`, { method: "PUT", body: "x" }).catch(() => undefined);

  const settled = (element: HTMLElement): Promise<string> =>
    new Promise((resolve) => {
      for (const name of ["load", "error"]) element.addEventListener(name, () => resolve(name));
      document.body.append(element);
    });
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const frame = Object.assign(document.createElement("iframe"), { name: `frame-${enctype}` });
    await settled(frame);
    const form = Object.assign(document.createElement("form"), { action: `${api}/sessions`, method: "post", enctype, target: frame.name });
    form.append(Object.assign(document.createElement("input"), { name: '{"session_id":"by-a-page","x":"', value: '"}' }));
    document.body.append(form);
    const answered = new Promise((resolve) => frame.addEventListener("load", resolve));
    form.submit();
    await answered;
  }

  const artifacts = `${api}/sessions/mine/artifacts`;
  await settled(Object.assign(document.createElement("script"), { src: `${artifacts}/script.js` }));
  await settled(Object.assign(document.createElement("script"), { type: "module", src: `${artifacts}/script.js` }));
  if ("stolen" in globalThis) gained.push("script");
  if ((await settled(Object.assign(new Image(), { src: `${artifacts}/picture.svg` }))) === "load") gained.push("picture");
  await settled(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${artifacts}/style.css` }));
  if (getComputedStyle(document.body).color === "rgb(1, 2, 3)") gained.push("style");

  const opened = (source: EventTarget): Promise<boolean> =>
    new Promise((resolve) => {
      for (const name of ["open", "message"]) source.addEventListener(name, () => resolve(true));
      source.addEventListener("error", () => resolve(false));
    });
  if (await opened(new EventSource(`${api}/sessions/mine/execute/ran/stream`))) gained.push("events");
  if (await opened(new WebSocket(`${sockets}/api/kernels/${kernel}/channels`))) gained.push("socket");
  return gained;
}
