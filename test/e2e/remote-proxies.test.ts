/** TLS by the example proxies, nginx and Caddy, in front of a server on another host: the client's promises hold through them. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { RemoteHost, whyNoRemoteHost } from "../helpers/remote-host.ts";
import { startProxy, whyNoProxy, type ProxyName, type RunningProxy } from "../helpers/remote-proxies.ts";
import { clientSuite } from "./client-suite.ts";

const KEY = "the-key-behind-the-proxy";
const CLI = join(PACKAGE_ROOT, "dist/cli/main.js");

let host: RemoteHost;

beforeAll(async () => {
  // Node reads certificates to trust only when it starts; that they are checked is tried by a process of its own below.
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  if ((await whyNoRemoteHost()) === undefined) host = await RemoteHost.open();
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

describe.each<{ name: ProxyName; port: number }>([
  { name: "nginx", port: 8100 },
  { name: "caddy", port: 8200 },
])("a server behind $name", ({ name, port }) => {
  let proxy: RunningProxy;
  let missing: string | undefined;

  beforeAll(async () => {
    missing = (await whyNoRemoteHost()) ?? (await whyNoProxy(name));
    if (missing !== undefined) return;
    await host.startServer({ TASKWEAVER_SERVER_API_KEY: KEY, TASKWEAVER_SERVER_TRUSTED_PROXIES: host.ownAddress }, port);
    proxy = await startProxy(name, `${host.address}:${port}`);
    vi.stubEnv("SSL_CERT_FILE", proxy.certificateFile);
  });
  afterAll(() => proxy?.[Symbol.asyncDispose]());
  beforeEach(({ skip }) => skip(missing !== undefined, missing));

  clientSuite(async () => ({ url: proxy?.url, apiKey: KEY, [Symbol.asyncDispose]: async () => undefined }));

  it("gives out links to the address that its client called", async () => {
    const client = new ExecutionClient({ url: proxy.url, apiKey: KEY });
    await using session = await client.start("links");
    const result = await session.executeCode("plt.plot([1])\nplt.show()");
    expect(result.artifact[0]?.download_url).toMatch(`${proxy.url}/api/v1/sessions/links/artifacts/`);
    const linked = await fetch(result.artifact[0]!.download_url, { headers: { "X-API-Key": KEY } });
    expect(linked.status).toBe(200);
  });

  it("is not told by clients where they call from", async () => {
    const client = new ExecutionClient({ url: proxy.url, apiKey: KEY });
    await using session = await client.start("forged");
    await session.executeCode("plt.plot([1])\nplt.show()", { executionId: "figure" });
    const forged = {
      "X-Forwarded-Host": "evil.example",
      "X-Forwarded-Proto": "ftp",
      "X-Forwarded-For": "127.0.0.1",
      Forwarded: "for=127.0.0.1;host=evil.example",
    };
    const read = (headers: Record<string, string>) => fetch(`${proxy.url}/api/v1/sessions/forged/execute/figure`, { headers });
    const { result } = (await (await read({ ...forged, "X-API-Key": KEY })).json()) as { result: { artifact: { download_url: string }[] } };
    expect(result.artifact[0]?.download_url).toMatch(`${proxy.url}/`);
    expect((await read(forged)).status).toBe(401);
  });

  it("takes its own origin for its own, and others' for foreign", async () => {
    const get = (origin: string) => fetch(`${proxy.url}/api/v1/sessions`, { headers: { "X-API-Key": KEY, Origin: origin } });
    expect((await get(proxy.url)).status).toBe(200);
    expect((await get("https://evil.example")).status).toBe(403);
  });

  it("takes files larger than any limit of a proxy", async () => {
    const client = new ExecutionClient({ url: proxy.url, apiKey: KEY });
    await using session = await client.start("large");
    const content = new Blob([new Uint8Array(200 * 1024 * 1024)]);
    expect(await session.uploadFile("large.bin", content)).toMatchObject({ size: content.size });
  });

  it("is reached by a command that knows the certificate, and by no other", async () => {
    const { NODE_TLS_REJECT_UNAUTHORIZED: _accepted, SSL_CERT_FILE: _python, ...environment } = process.env;
    const command = (env: NodeJS.ProcessEnv) =>
      promisify(execFile)(process.execPath, [CLI, "run", "-c", "print('through')", "--url", proxy.url], {
        env: { ...environment, TASKWEAVER_SERVER_API_KEY: KEY, ...env },
      });
    expect((await command({ NODE_EXTRA_CA_CERTS: proxy.certificateFile })).stdout).toBe("through\n");
    await expect(command({ NODE_EXTRA_CA_CERTS: "" })).rejects.toMatchObject({ stderr: expect.stringMatching(/cannot be made secure/) });
  });

  it("whose server is gone says so", async () => {
    const nobody = await startProxy(name, `${host.address}:8999`);
    try {
      const client = new ExecutionClient({ url: nobody.url, apiKey: KEY, retries: 0 });
      await expect(client.health()).rejects.toMatchObject({
        code: "unreachable",
        message: expect.stringMatching(/A proxy answers .*the server behind it does not/),
      });
    } finally {
      await nobody[Symbol.asyncDispose]();
    }
  });
});

describe("a server that was not told of its proxy", () => {
  it("believes none of its headers, and lets nobody in without a key", async ({ skip }) => {
    const missing = (await whyNoRemoteHost()) ?? (await whyNoProxy("nginx"));
    skip(missing !== undefined, missing);
    const direct = await host.startServer({ TASKWEAVER_SERVER_API_KEY: KEY }, 8300);
    const proxy = await startProxy("nginx", `${host.address}:8300`);
    try {
      const client = new ExecutionClient({ url: proxy.url, apiKey: KEY });
      await using session = await client.start("untold");
      const result = await session.executeCode("plt.plot([1])\nplt.show()");
      expect(result.artifact[0]?.download_url).toMatch(/^http:/);
      await expect(new ExecutionClient({ url: proxy.url }).listSessions()).rejects.toMatchObject({ statusCode: 401 });
      await expect(new ExecutionClient({ url: direct }).listSessions()).rejects.toMatchObject({ statusCode: 401 });
    } finally {
      await proxy[Symbol.asyncDispose]();
    }
  });
});
