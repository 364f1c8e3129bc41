/** Executors found by a name that a real name server answers for: the machine's own resolver asks it, and its answers change. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { lookUpProgram, NameServer, whyNoNameServer, type NameAnswers } from "../helpers/name-server.ts";
import { startLiveServer } from "../helpers/server.ts";
import { freePort } from "../helpers/server-process.ts";
import { whenDone } from "../helpers/when-done.ts";

const KEY = "key-of-executors";
const SOON = { timeout: 60_000, interval: 50 };

beforeEach(({ skip }) => skip(whyNoNameServer !== undefined, whyNoNameServer));

describe("a name", () => {
  it("stands for what DNS says of it now, or said when it last had an answer", async () => {
    await using names = await NameServer.start();
    const [program, ...args] = names.command(...lookUpProgram("dns:executors.test:8000"));
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    whenDone(() => child.kill());
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const originsWhere = async (answers: NameAnswers): Promise<unknown> => {
      names.answers = answers;
      child.stdin.write("\n");
      return JSON.parse(String((await lines.next()).value)) as unknown;
    };
    expect(await originsWhere({ A: "server failure", AAAA: "server failure" })).toEqual([]);
    expect(await originsWhere({ A: ["127.0.0.2", "127.0.0.1"], AAAA: [] })).toEqual(
      expect.arrayContaining(["http://127.0.0.1:8000", "http://127.0.0.2:8000"]),
    );
    // However long an answer may be kept by others, it is asked for again.
    expect(await originsWhere({ A: ["127.0.0.3"], AAAA: [] })).toEqual(["http://127.0.0.3:8000"]);
    expect(await originsWhere({ A: "server failure", AAAA: "server failure" })).toEqual(["http://127.0.0.3:8000"]);
    expect(await originsWhere({ A: [], AAAA: ["fd00::1:2"] })).toEqual(["http://[fd00::1:2]:8000"]);
    expect(await originsWhere({ A: "nothing", AAAA: "nothing" })).toEqual(["http://[fd00::1:2]:8000"]);
    // What was asked in vain may still be out, and is waited for before it is asked again.
    await vi.waitUntil(async () => JSON.stringify(await originsWhere({ A: "no such name", AAAA: "no such name" })) === "[]", SOON);
    expect(await originsWhere({ A: ["127.0.0.1"], AAAA: ["::1"] })).toEqual(
      expect.arrayContaining(["http://127.0.0.1:8000", "http://[::1]:8000"]),
    );
    expect(await originsWhere({ A: [], AAAA: [] })).toEqual([]);
  });
});

describe("a gateway before a name", () => {
  it("sees executors come, keeps one whose address is gone while it lives, and serves by IPv6 what is left", async () => {
    await using names = await NameServer.start();
    names.answers = { A: ["127.0.0.1"], AAAA: [] };
    const first = await startLiveServer({ apiKey: KEY });
    const port = Number(new URL(first.url).port);
    await startLiveServer({ apiKey: KEY, host: "::1", port });
    const url = await startGateway(names, `dns:executors.test:${port}`);
    await vi.waitUntil(async () => (await executorsOf(url)) === 1, SOON);

    names.answers = { A: [], AAAA: ["::1"] };
    await vi.waitUntil(async () => (await executorsOf(url)) === 2, SOON);
    await first.close();
    await vi.waitUntil(async () => (await executorsOf(url)) === 1, SOON);

    await using session = await new ExecutionClient({ url }).start("by-ipv6");
    let seen = "";
    const { artifact } = await session.executeCode("print('hello')\nfrom IPython.display import HTML\nHTML('<b>bold</b>')", {
      onStdout: (text) => void (seen += text),
    });
    expect(seen).toBe("hello\n");
    expect(artifact[0]!.download_url).toMatch(`${url}/api/v1/sessions/by-ipv6/artifacts/`);
    expect(await (await fetch(artifact[0]!.download_url)).text()).toBe("<b>bold</b>");
  });
});

/** One that asks the name server alone. */
async function startGateway(names: NameServer, executors: string): Promise<string> {
  const url = `http://[::1]:${await freePort()}`;
  const settings = ["--host", "::1", "--port", new URL(url).port, "--executors", executors, "--executor-timeout", "0.5"];
  const [program, ...args] = names.command(`${PACKAGE_ROOT}/dist/cli/main.js`, "gateway", ...settings);
  const child = spawn(program, args, { env: { ...process.env, TASKWEAVER_SERVER_EXECUTOR_KEY: KEY }, stdio: ["ignore", "pipe", "pipe"] });
  whenDone(() => child.kill());
  const words: string[] = [];
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", (line) => words.push(line));
  await vi.waitUntil(() => {
    if (child.exitCode !== null) throw new Error(`the gateway ended: ${words.join("\n")}`);
    return words.some((line) => line.includes('"listening"'));
  }, SOON);
  return url;
}

async function executorsOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/api/v1/ready`)).json()) as { executors: number }).executors;
}
