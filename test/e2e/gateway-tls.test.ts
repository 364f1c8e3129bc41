/** TLS on either side of a gateway: clients, gateway and executors with certificates of a private authority. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import pino, { type Logger } from "pino";
import { Agent, fetch as undiciFetch } from "undici";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { ExecutionClient } from "../../src/client/index.ts";
import { resolveGatewaySettings, type FlagValues } from "../../src/config.ts";
import { startGateway, type RunningGateway } from "../../src/gateway.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { TestAuthority } from "../helpers/certificates.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const CLIENT_KEY = "key-of-clients";
const EXECUTOR_KEY = "key-of-executors";

const shared = sharedByAll(async () => {
  const authority = await TestAuthority.create();
  const [byAddress, byName] = await Promise.all([
    startExecutor({ tls: await authority.issue(["IP:127.0.0.1"]) }),
    startExecutor({ tls: await authority.issue(["DNS:localhost"]) }),
  ]);
  const { certificate, key } = await authority.issue(["DNS:localhost"]);
  const { gateway } = await startWatched({
    executors: `${byAddress.url},dns+https:localhost:${new URL(byName.url).port}`,
    executor_ca: authority.certificate,
    tls_certificate: certificate,
    tls_key: key,
  });
  const ca = await authority.pem();
  return { authority, ca, gateway, url: gateway.url.replace("127.0.0.1", "localhost"), executors: [byAddress, byName] };
});

describe("a gateway with a certificate before executors with theirs", () => {
  it("serves sessions on both, streams, files and their addresses, WebSockets and MCP", async () => {
    const { ca, url, executors } = shared();
    expect(url).toMatch(/^https:/);
    const secureFetch = fetchWith(ca);
    const client = new ExecutionClient({ url, apiKey: CLIENT_KEY, fetch: secureFetch });
    const ids = Array.from({ length: 6 }, (_, index) => `secure-${index}`);
    await Promise.all(ids.map((id) => client.start(id)));
    const held = await Promise.all(executors.map(async ({ info }) => Promise.all(ids.map((id) => info(`/sessions/${id}`)))));
    expect(held.map((infos) => infos.filter(({ status }) => status === "running").length > 0)).toEqual([true, true]);
    for (const id of ids) {
      let seen = "";
      const result = await client.executeCode(id, "print('hello'); plt.plot([1]); plt.show()", { onStdout: (text) => void (seen += text) });
      expect(seen).toBe("hello\n");
      const [figure] = result.artifact;
      expect(figure!.download_url).toMatch(new RegExp(`^${url}/api/v1/sessions/${id}/artifacts/`));
      const answer = await secureFetch(figure!.download_url, { headers: { "x-api-key": CLIENT_KEY } });
      expect([answer.status, (await answer.arrayBuffer()).byteLength > 1000]).toEqual([200, true]);
      await client.session(id).uploadFile("data.txt", "x");
    }
    await client.start("11111111-2222-3333-4444-555555555555");
    const socket = new WebSocket(
      `${url.replace("https", "wss")}/api/kernels/11111111-2222-3333-4444-555555555555/channels?token=${CLIENT_KEY}`,
      {
        ca,
      },
    );
    await once(socket, "open");
    socket.close();
    await once(socket, "close");
    const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
      requestInit: { headers: { "x-api-key": CLIENT_KEY } },
      fetch: secureFetch as typeof fetch,
    });
    const mcp = new Client({ name: "test", version: "1" });
    await mcp.connect(transport);
    try {
      const said = await mcp.callTool({ name: "run_code", arguments: { session_id: ids[0], code: "40 + 2" } });
      expect(JSON.stringify(said.content)).toContain("42");
    } finally {
      await mcp.close();
    }
  });

  it("is called by the command line that is given the authority, and refused by one that is not", async () => {
    const { url, authority } = shared();
    const trusting = await runCli(["run", "--url", url, "-c", "print(6 * 7)"], { NODE_EXTRA_CA_CERTS: authority.certificate });
    expect(trusting).toEqual({ code: 0, stdout: "42\n", stderr: expect.any(String) });
    const { code, stderr } = await runCli(["run", "--url", url, "-c", "print(6 * 7)"], {});
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain("cannot be made secure");
    expect(stderr).toContain("NODE_EXTRA_CA_CERTS");
  });
});

describe("what is in the list and no executor to trust", () => {
  it("is told of in the log, each once, with what to mend; sessions go to the others", async () => {
    const { authority, executors } = shared();
    const good = executors[0]!;
    const [expired, misnamed, foreign] = await Promise.all([
      startExecutor({ tls: await authority.issue(["IP:127.0.0.1"], { isExpired: true }) }),
      startExecutor({ tls: await authority.issue(["DNS:other.example"]) }),
      startExecutor({ tls: await (await TestAuthority.create()).issue(["IP:127.0.0.1"]) }),
    ]);
    const otherKey = await startExecutor({ apiKey: "another-key", tls: await authority.issue(["IP:127.0.0.1"]) });
    const stranger = createServer((_request, response) => response.end("{}")).listen(0, "127.0.0.1");
    whenDone(() => stranger.close());
    await once(stranger, "listening");
    const strangerUrl = `http://127.0.0.1:${(stranger.address() as { port: number }).port}`;
    const { port } = new URL(good.url);
    const list = [good, expired, misnamed, foreign, otherKey].map(({ url }) => url);
    const { gateway, lines } = await startWatched({
      executors: [...list, shared().gateway.url, strangerUrl, `http://127.0.0.1:${port}`, `https://127.0.0.1:${port}/`].join(","),
      executor_ca: authority.certificate,
    });
    const why = (url: string) =>
      lines.filter(({ executor, why: reason }) => executor === url && reason !== undefined).map(({ why: reason }) => reason);
    await vi.waitFor(() => expect(why(strangerUrl)).toHaveLength(1), 20_000);
    expect(why(expired.url)).toEqual(["its certificate has expired"]);
    expect(why(misnamed.url)).toEqual(["its certificate is made out to another name"]);
    expect(why(foreign.url)).toEqual([expect.stringMatching(/^its certificate is not trusted .*: name its authority with executor_ca$/)]);
    expect(why(otherKey.url)).toEqual(["it refuses the gateway's key: executor_key must be its api_key"]);
    expect(why(shared().gateway.url)).toEqual([expect.stringMatching(/another name|it is a gateway/)]);
    expect(why(strangerUrl)).toEqual([expect.stringMatching(/another program/)]);
    expect(why(`http://127.0.0.1:${port}`)).toEqual([expect.stringMatching(/^it breaks the connection/)]);
    const client = new ExecutionClient({ url: gateway.url });
    await client.start("only-there");
    expect((await good.info("/sessions/only-there")).status).toBe("running");
    expect(await (await fetch(`${gateway.url}/api/v1/ready`)).json()).toMatchObject({ executors: 1 });
  });

  it("is refused at the start where the authorities cannot be read", async () => {
    const start = startWatched({ executors: "https://127.0.0.1:1", executor_ca: "/nowhere/ca.pem" });
    await expect(start).rejects.toThrow("/nowhere/ca.pem (executor_ca) cannot be read: ENOENT");
    const key = join(PACKAGE_ROOT, "package.json");
    await expect(startWatched({ executors: "https://127.0.0.1:1", executor_ca: key })).rejects.toThrow("is no certificate in PEM");
  });
});

async function startExecutor(over: Parameters<typeof startLiveServer>[0]) {
  const server = await startLiveServer({ apiKey: EXECUTOR_KEY, requireKey: true, trustedProxies: ["127.0.0.1"], ...over });
  const client = new ExecutionClient({ url: server.url, apiKey: over?.apiKey ?? EXECUTOR_KEY, fetch: fetchWith() });
  return {
    url: server.url,
    info: async (path: string) => client.getSessionInfo(path.split("/").at(-1) ?? "").catch(() => ({ status: "unknown" })),
  };
}

/** A gateway, and what it logs. */
async function startWatched(flags: FlagValues): Promise<{ gateway: RunningGateway; lines: Record<string, unknown>[] }> {
  const lines: Record<string, unknown>[] = [];
  const logger: Logger = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
  const key = flags.tls_certificate === undefined ? {} : { api_key: CLIENT_KEY, require_key: "true" };
  const settings = resolveGatewaySettings({ host: "127.0.0.1", port: "0", executor_key: EXECUTOR_KEY, ...key, ...flags }, {});
  const gateway = await startGateway(settings, { logger });
  whenDone(() => gateway.close());
  return { gateway, lines };
}

/** Checks certificates against an authority; without one not at all. */
function fetchWith(ca?: string): (url: string, init: RequestInit) => Promise<Response> {
  const dispatcher = new Agent({ connect: ca === undefined ? { rejectUnauthorized: false } : { ca } });
  whenDone(() => dispatcher.destroy());
  return async (url, init) => (await undiciFetch(url, { ...init, dispatcher } as never)) as unknown as Response;
}

function runCli(args: string[], env: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(PACKAGE_ROOT, "dist/cli/main.js"), ...args],
      { env: { ...process.env, TASKWEAVER_SERVER_API_KEY: CLIENT_KEY, ...env }, cwd: "/" },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
