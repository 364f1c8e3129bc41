/** Secrets stay where they are: keys, code, configurations and file contents come into no log, no figure, no error and no kernel's environment. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, it } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { startTestServer } from "./test-server.ts";

const KEY = "key-4f1d2c";
const WORDS = {
  code: "code-77ab01",
  config: "config-c0ffee",
  content: "content-5ca1ab",
  variable: "variable-bada55",
  wrongKey: "wrong-facade",
};

it("in a session that is used by every door, with a log that tells all", async () => {
  let log = "";
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log += chunk.toString();
      done();
    },
  });
  process.env["TASKWEAVER_SERVER_API_KEY"] = KEY;
  process.env["TASKWEAVER_LLM_API_KEY"] = KEY;
  await using server = await startTestServer(
    { apiKey: KEY, requireKey: true, kernelStart: "fork", kernelPool: 1 },
    { logger: pino({ level: "trace" }, sink) },
  );
  try {
    const session = await server.client.start("mine");
    const plugin = `from taskweaver.plugin import register_plugin\n@register_plugin\ndef use(x):\n    # ${WORDS.code}\n    return x`;
    await session.loadPlugin({ name: "use", code: plugin, config: { token: WORDS.config } });
    await session.loadPlugin({ name: "broken", code: `raise ValueError("${WORDS.code}")` }).catch(() => undefined);
    await session.updateSessionVar({ name: WORDS.variable });
    await session.uploadFile("file.txt", WORDS.content);
    await session.executeCode(`x = "${WORDS.code}"\nuse(1)`);
    await session.executeCode(`raise ValueError("${WORDS.code}")`);
    const environment = await session.executeCode("import os; sorted(os.environ.items())");
    expect(JSON.stringify(environment.output)).not.toContain(KEY);
    const deep = await session.executeCode("import subprocess; subprocess.run(['env'], capture_output=True, text=True).stdout");
    expect(String(deep.output)).not.toContain(KEY);
    const stranger = new ExecutionClient({ url: server.url, apiKey: WORDS.wrongKey });
    const refused = await stranger.listSessions().catch((error: unknown) => String(error));
    expect(refused).not.toContain(KEY);
    const headers = { "x-api-key": KEY, "content-type": "application/json" };
    const odd = await fetch(`${server.url}/api/v1/sessions/mine/execute`, {
      method: "POST",
      headers,
      body: `{"exec_id": "e", "code": "${WORDS.code}", "unknown": "${WORDS.content}"}`,
    });
    expect([odd.status, await odd.text()]).toEqual([422, expect.not.stringMatching(new RegExp(`${WORDS.content}|${KEY}`))]);
    const answer = await fetch(`${server.url}/metrics`, { headers });
    const metrics = await answer.text();
    await session.executeCode("import os; os.kill(os.getpid(), 9)");

    const names = (await readdir(server.workDir)).filter((name) => name.endsWith(".log"));
    expect(names).toContain("fork-server.log");
    const logs = await Promise.all(names.map((name) => readFile(join(server.workDir, name), "utf8")));
    expect(log).toContain('"sessionId":"mine"');
    for (const [name, word] of Object.entries({ KEY, ...WORDS })) {
      const places = { log, metrics, files: logs.join("") };
      expect([name, Object.entries(places).filter(([, text]) => text.includes(word))]).toEqual([name, []]);
    }
    for (const name of ["session.json", "executions.jsonl"]) {
      const record = await readFile(join(server.workDir, "sessions/mine/ces", name), "utf8");
      expect(record).not.toContain(KEY);
    }
  } finally {
    delete process.env["TASKWEAVER_SERVER_API_KEY"];
    delete process.env["TASKWEAVER_LLM_API_KEY"];
  }
});
