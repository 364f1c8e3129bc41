/** The gateway with real executors: what clients see is what one server shows them, by whichever gateway they come. */
import { once } from "node:events";
import { createServer, request, type RequestOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { KernelManager, ServerConnection } from "@jupyterlab/services";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLIENT_KEY, GatewayCluster } from "../helpers/gateway-cluster.ts";
import { clientSuite } from "./client-suite.ts";

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

let cluster: GatewayCluster;

beforeAll(async () => {
  cluster = await GatewayCluster.start([["--labels", "gpu,big"], ["--labels", "big"], []], 2);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe("a client at a gateway", () => {
  clientSuite(async () => ({ url: cluster.gateways[0]!.url, apiKey: CLIENT_KEY, [Symbol.asyncDispose]: async () => undefined }));
});

describe("sessions", () => {
  it("are found by every gateway, and listed by each with those of all executors", async () => {
    const [one, two] = clients();
    const ids = Array.from({ length: 9 }, (_, index) => `spread-${index}`);
    try {
      await Promise.all(ids.map((id) => one.start(id)));
      for (const id of ids) expect((await two.executeCode(id, "1 + 1")).output).toBe(2);
      expect((await two.listSessions()).map(({ session_id }) => session_id)).toEqual(expect.arrayContaining(ids));
      const held = await Promise.all(cluster.executors.map(async ({ client }) => (await client.listSessions()).length));
      // Where exactly they go, the machine's load of the moment has a say in.
      expect(Math.min(...held)).toBeGreaterThan(0);
    } finally {
      await Promise.all(ids.map((id) => two.stop(id)));
    }
  });

  it("that two gateways are asked for at once are one", async () => {
    const [one, two] = clients();
    for (let round = 0; round < 10; round += 1) {
      const id = `race-${round}`;
      const made = await Promise.allSettled([one, two, one, two].map((client) => client.start(id, { ifExists: "error" })));
      const refused = made.flatMap((each) => (each.status === "rejected" ? [each.reason as { code: string }] : []));
      expect([made.length - refused.length, ...refused.map(({ code }) => code)]).toEqual([
        1,
        "session_exists",
        "session_exists",
        "session_exists",
      ]);
      const holders = await Promise.all(
        cluster.executors.map(async ({ client }) => (await client.listSessions()).map((each) => each.session_id)),
      );
      expect(holders.flat().filter((each) => each === id)).toHaveLength(1);
      await one.stop(id);
    }
  });

  it("of one id follow each other by any gateway, though the other remembers where the last one was", async () => {
    const [one, two] = clients();
    for (let round = 0; round < 6; round += 1) {
      await one.start("again");
      expect((await two.executeCode("again", `x = ${round}\nx`)).output).toBe(round);
      await one.stop("again");
    }
    await expect(two.getSessionInfo("again")).rejects.toMatchObject({ code: "session_not_found" });
  });

  it("go where the labels are that they require, and nowhere where nobody has them", async () => {
    const [one] = clients();
    try {
      await Promise.all([0, 1, 2].map((index) => one.start(`gpu-${index}`, { requires: ["gpu"] })));
      for (const index of [0, 1, 2]) expect(await cluster.executorOf(`gpu-${index}`)).toBe(cluster.executors[0]);
      const nowhere = one.start("tpu", { requires: ["tpu"] });
      await expect(nowhere).rejects.toMatchObject({ statusCode: 503, message: expect.stringContaining('"tpu"') });
    } finally {
      await Promise.all([0, 1, 2].map((index) => one.stop(`gpu-${index}`)));
    }
  });
});

describe("the doors", () => {
  it("take the clients' key, which no executor knows, and show executors another", async () => {
    const { url } = cluster.gateways[0]!;
    expect((await fetch(`${url}/api/v1/sessions`)).status).toBe(401);
    expect((await fetch(`${url}/api/v1/sessions`, { headers: { "x-api-key": CLIENT_KEY } })).status).toBe(200);
    const direct = await fetch(`${cluster.executors[0]!.url}/api/v1/sessions`, { headers: { "x-api-key": CLIENT_KEY } });
    expect(direct.status).toBe(401);
    expect((await fetch(`${url}/api/v1/sessions`, { headers: { "x-api-key": CLIENT_KEY, origin: "https://evil.example" } })).status).toBe(
      403,
    );
  });

  it("lead to files whose addresses are the gateway's", async () => {
    const [one] = clients();
    await using session = await one.start("addresses");
    const { artifact } = await session.executeCode("plt.plot([1]); plt.show()");
    const { url } = cluster.gateways[0]!;
    expect(artifact[0]!.download_url).toMatch(new RegExp(`^${url}/api/v1/sessions/addresses/artifacts/`));
    const response = await fetch(artifact[0]!.download_url, { method: "HEAD", headers: { "x-api-key": CLIENT_KEY } });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/png"]);
    const range = await fetch(artifact[0]!.download_url, { headers: { "x-api-key": CLIENT_KEY, range: "bytes=0-3" } });
    expect([range.status, (await range.arrayBuffer()).byteLength]).toEqual([206, 4]);
  });

  it("let Jupyter's clients in: a kernel is started by one gateway and talked to by the other, over a WebSocket", async () => {
    const settings = cluster.gateways.map(({ url }) =>
      ServerConnection.makeSettings({ baseUrl: url, wsUrl: url.replace("http", "ws"), token: CLIENT_KEY, appendToken: true }),
    );
    const [starting, talking] = settings.map((serverSettings) => new KernelManager({ serverSettings }));
    try {
      const started = await starting!.startNew({ name: "python3" });
      const kernel = talking!.connectTo({ model: started.model });
      const texts: string[] = [];
      const future = kernel.requestExecute({ code: "print('over two sockets')" });
      future.onIOPub = ({ header, content }) => void (header.msg_type === "stream" && texts.push((content as { text: string }).text));
      await future.done;
      expect(texts.join("")).toBe("over two sockets\n");
      await starting!.refreshRunning();
      expect([...starting!.running()].map(({ id }) => id)).toContain(started.id);
      await started.shutdown();
      await expect(clients()[1].getSessionInfo(started.id)).rejects.toMatchObject({ code: "session_not_found" });
    } finally {
      for (const manager of [starting, talking]) manager?.dispose();
    }
  });

  it("refuse a WebSocket to a kernel that is nowhere, and one without a key", async () => {
    const { url } = cluster.gateways[0]!;
    expect(await statusOf(`${url}/api/kernels/nowhere/channels`, UPGRADE)).toBe(401);
    expect(await statusOf(`${url}/api/kernels/nowhere/channels?token=${CLIENT_KEY}`, UPGRADE)).toBe(404);
  });

  it("lead to executors only, whatever host a request names in its path: the key of executors is not for strangers", async () => {
    const { url, client } = cluster.gateways[0]!;
    const id = "12345678-1234-1234-1234-123456789012";
    const heard: unknown[] = [];
    const stranger = createServer((request) => void heard.push(request.headers)).on("upgrade", (request) => heard.push(request.headers));
    stranger.listen(0, "127.0.0.1");
    try {
      await once(stranger, "listening");
      const host = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
      const elsewhere = `http://${host}`;
      await client.start(id);
      const channels = await statusOf(
        url,
        { ...UPGRADE, host, "x-api-key": CLIENT_KEY },
        { path: `${elsewhere}/api/kernels/${id}/channels` },
      );
      const ended = await statusOf(
        url,
        { host, "x-api-key": CLIENT_KEY },
        { path: `${elsewhere}/api/v1/sessions/${id}`, method: "DELETE" },
      );
      expect([channels, ended, heard]).toEqual([101, 200, []]);
    } finally {
      stranger.closeAllConnections();
      stranger.close();
    }
  });

  it("serve the Model Context Protocol, whose sessions are the gateway's", async () => {
    const { url } = cluster.gateways[1]!;
    const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { "x-api-key": CLIENT_KEY } } });
    const client = new Client({ name: "test", version: "1" });
    await client.connect(transport);
    try {
      await using session = await clients()[0].start("by-mcp");
      await session.executeCode("x = 41");
      const result = await client.callTool({ name: "run_code", arguments: { session_id: "by-mcp", code: "x + 1" } });
      expect(JSON.stringify(result.content)).toContain("42");
    } finally {
      await client.close();
    }
  });

  it("show the console, the API's page and description, and the gateway's figures", async () => {
    const { url } = cluster.gateways[0]!;
    const get = (path: string) => fetch(url + path, { headers: { "x-api-key": CLIENT_KEY } });
    expect(await (await get("/")).text()).toContain("<!doctype html>");
    expect((await get("/docs")).status).toBe(200);
    expect(await (await get("/openapi.json")).json()).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
    expect(await (await get("/metrics")).text()).toContain('taskweaver_gateway_executors{state="ready"} 3');
  });
});

function clients() {
  return cluster.gateways.map(({ client }) => client) as [ClusterClient, ClusterClient];
}

type ClusterClient = GatewayCluster["gateways"][number]["client"];

async function statusOf(url: string, headers: Record<string, string>, other: RequestOptions = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, ...other }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    asked.once("error", reject).end();
  });
}
