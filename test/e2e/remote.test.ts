/** Remote mode: a server on another host with a key, and what a client says where there is none to use. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resolveClientSettings, type FlagValues } from "../../src/config.ts";
import { ExecutionService } from "../../src/launcher/index.ts";
import { VERSION } from "../../src/paths.ts";
import { RemoteHost, said, whyNoRemoteHost } from "../helpers/remote-host.ts";
import { clientSuite } from "./client-suite.ts";

const KEY = "the-key-of-the-other-host";

const missing = await whyNoRemoteHost();

describe("a server on another host", () => {
  let host: RemoteHost;
  let url: string;

  beforeAll(async () => {
    if (missing !== undefined) return;
    host = await RemoteHost.open();
    url = await host.startServer({ TASKWEAVER_SERVER_API_KEY: KEY });
  });
  afterAll(() => host?.[Symbol.asyncDispose]());
  beforeEach(({ skip }) => skip(missing !== undefined, missing));

  clientSuite(async () => ({ url, apiKey: KEY, [Symbol.asyncDispose]: async () => undefined }));

  describe("is opened by its URL", () => {
    const open = async (flags: FlagValues) => {
      const progress: string[] = [];
      const settings = resolveClientSettings({ auto_start: false, ...flags }, {}, null);
      await using opened = await opening(settings, progress);
      return { progress, health: await opened.client.health(), isStarted: opened.isStarted };
    };

    it("with its key", async () => {
      expect(await open({ url, api_key: KEY })).toMatchObject({ isStarted: false, health: { version: VERSION }, progress: [] });
    });

    it("never without a key, or with a wrong one", async () => {
      await expect(open({ url })).rejects.toThrow(`The server at ${url} asks for an API key: set execution.server.api_key`);
      await expect(open({ url, api_key: "guessed" })).rejects.toThrow(`The server at ${url} refuses the API key`);
    });

    it("never by starting one here, where nobody listens there", async () => {
      const nobody = `http://${host.address}:8999`;
      const refused = open({ url: nobody, api_key: KEY, auto_start: true });
      await expect(refused).rejects.toMatchObject({
        code: "connection_refused",
        message: expect.stringContaining(`Nothing answers at ${nobody}`),
      });
    });

    it("with a word about the network, where the host cannot be reached", async () => {
      const unreachable = open({ url: `http://${host.nobodysAddress}:8000`, api_key: KEY });
      await expect(unreachable).rejects.toMatchObject({
        code: "unreachable",
        message: expect.stringMatching(/cannot be reached .*check the network/),
      });
    });

    it("with a word about its name, where nobody knows it", async () => {
      const unknown = open({ url: "http://executor.invalid:8000", api_key: KEY });
      await expect(unknown).rejects.toMatchObject({ code: "unreachable", message: expect.stringMatching(/The host of .* is not known/) });
    });

    it("with a word about the stranger who answers instead", async () => {
      const strange = await stranger("response.end('<html>hello</html>')", 8001);
      await expect(open({ url: strange, api_key: KEY })).rejects.toMatchObject({ code: "wrong_server" });
      const mute = await stranger("request.socket.end('SSH-2.0-OpenSSH\\r\\n')", 8002);
      await expect(open({ url: mute, api_key: KEY })).rejects.toMatchObject({ code: "wrong_server" });
    });

    it("with a word about its version, where that is another", async () => {
      const answer = JSON.stringify({ status: "healthy", version: "9.8.7", active_sessions: 0, sessions: [] });
      const newer = await stranger(`response.setHeader('content-type', 'application/json'); response.end('${answer}')`, 8003);
      const { progress } = await open({ url: newer, api_key: KEY });
      expect(progress).toEqual([
        `The server at ${newer} is version 9.8.7, this client ${VERSION}: some functions may be missing; update the older of the two.`,
      ]);
    });
  });

  it("that listens for others without a key has made one", async () => {
    const keyless = await host.startServer({}, 8010);
    const response = await fetch(`${keyless}/api/v1/sessions`);
    expect(response.status).toBe(401);
  });

  /** A server of somebody else's, there. */
  async function stranger(answer: string, port: number): Promise<string> {
    const program = `require("node:http").createServer((request, response) => { ${answer} }).listen(${port}, () => console.log("ready"))`;
    await said(host.spawn(process.execPath, ["-e", program]), "ready");
    return `http://${host.address}:${port}`;
  }
});

async function opening(settings: Parameters<typeof ExecutionService.open>[0], progress: string[]) {
  const service = await ExecutionService.open(settings, { onProgress: (line) => progress.push(line) });
  return { client: service.client, isStarted: service.isStarted, [Symbol.asyncDispose]: () => service.close() };
}
