/** Several sessions on one server: each has a process, a folder and variables of its own, and none waits for another. */
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startLiveServer } from "../helpers/server.ts";
import { freePort, startServerProcess } from "../helpers/server-process.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const server = sharedByAll(() => startLiveServer());

describe("two sessions at once", () => {
  test("have their own process, directory and variables", async () => {
    const { session, run, info } = server();
    const sessions = [await session(), await session()] as const;
    const code = (name: string) => `import os\nx = ${JSON.stringify(name)}\nopen(x, 'w').close()\n[os.getpid(), os.getcwd(), os.listdir()]`;
    const [first, second] = await Promise.all(sessions.map((path, index) => run(path, code(`f${index}`))));
    const [pid1, cwd1, files1] = first!.output as [number, string, string[]];
    const [pid2, cwd2, files2] = second!.output as [number, string, string[]];
    expect(pid1).not.toBe(pid2);
    expect([cwd1, cwd2]).toEqual([(await info(sessions[0])).cwd, (await info(sessions[1])).cwd]);
    expect([files1, files2]).toEqual([["f0"], ["f1"]]);
    expect(await Promise.all(sessions.map(async (path) => (await run(path, "x")).output))).toEqual(["f0", "f1"]);
    expect(await readlink(`/proc/${pid1}/cwd`)).toBe(cwd1);
  });

  test("one that is busy slows neither the other nor /health", async () => {
    const { session, run, call } = server();
    const [busy, other] = await Promise.all([session(), session()]);
    const times: number[] = [];
    const spinning = run(busy, "import time\nend = time.time() + 2\nwhile time.time() < end: print('x' * 1000)");
    for (let count = 0; count < 10; count += 1) {
      const begin = performance.now();
      expect((await call("GET", "/health")).status).toBe(200);
      expect((await run(other, "1 + 1")).output).toBe(2);
      times.push(performance.now() - begin);
    }
    expect((await spinning).reason).toBe("completed");
    expect(times.toSorted((a, b) => a - b)[5]).toBeLessThan(1000);
  });
});

describe("one session", () => {
  test("runs 12 executions sent at once one after the other, in the order received", async () => {
    const { session, run, call } = server();
    const path = await session();
    await run(path, "import time\nseen = []\ninside = 0");
    const code = (n: number) => `assert inside == 0\ninside += 1\nseen.append(${n})\ntime.sleep(0.01)\ninside -= 1\nprint(${n})`;
    const results = await Promise.all(Array.from({ length: 12 }, (_, n) => run(path, code(n), { exec_id: `c${n}` })));
    expect(results.map((result) => [result.is_success, result.stdout.join("")])).toEqual(
      Array.from({ length: 12 }, (_, n) => [true, `${n}\n`]),
    );
    const seen = (await run(path, "seen")).output as number[];
    const { executions } = (await call<{ executions: { execution_id: string }[] }>("GET", `${path}/executions`)).json;
    const received = executions.map((one) => one.execution_id).filter((id) => id.startsWith("c"));
    expect(received.toReversed()).toEqual(seen.map((n) => `c${n}`));
  });

  test("keeps its state, and what it is told about its variables is what the user made", async () => {
    const { session, run } = server();
    const path = await session();
    const code = [
      "import math, numpy as np, pandas as pd",
      "text = 'hello'",
      "array = np.arange(6).reshape(2, 3)",
      "def function(): pass",
      "_hidden = 1",
      "numbers = list(range(10))",
      "long = 'x' * 10000",
    ].join("\n");
    const { variables } = await run(path, code);
    const byName = new Map(variables);
    expect([...byName.keys()].toSorted()).toEqual(["array", "long", "numbers", "text"]);
    expect(byName.get("text")).toBe("hello");
    expect(byName.get("array")).toContain("(2, 3)");
    expect(byName.get("long")!.length).toBeLessThanOrEqual(500);
  });

  test.each([
    ["1 + 1", "2"],
    ["3.0", "3.0"],
    ["'a'", '"a"'],
    ["x = 3", "3"],
    ["(1, 'b', None, True)", '[1, "b", null, true]'],
    ["{'a': [1.5, {}]}", '{"a": [1.5, {}]}'],
    ["", '""'],
    ["None", '""'],
    ["print('only output')", '""'],
    ["2 ** 60", '"1152921504606846976"'],
    ["float('nan')", '"nan"'],
    ["b'bytes'", String.raw`"b'bytes'"`],
    ["{1: 2}", '"{1: 2}"'],
    ["1 + 2j", '"(1+2j)"'],
    ["...", '"Ellipsis"'],
    ["'\\ud800'", String.raw`"'\\ud800'"`],
  ])("answers %j with the output %s, exactly", async (code, output) => {
    const { session, call } = server();
    shared ??= await session();
    const answer = await call("POST", `${shared}/execute`, { exec_id: "value", code });
    expect(/"output":(.*?),"(?:output_text|stdout|reason|stderr)"/.exec(answer.text)?.[1]).toBe(output);
  });

  test("whose code raises says where, without colours, and goes on", async () => {
    const { session, run } = server();
    const path = await session();
    const failed = await run(path, "kept = 1\ndef f():\n    raise ValueError('bad \u2028 thing')\nf()");
    expect(failed).toMatchObject({ is_success: false, reason: "error", state_kept: true, output: "" });
    expect(failed.error).toMatch(/Traceback[\s\S]*in f[\s\S]*ValueError: bad \u2028 thing$/);
    expect(failed.error).not.toContain("\u001b");
    expect((await run(path, "1 +")).error).toContain("SyntaxError");
    expect((await run(path, "import sys; sys.exit(3)")).is_success).toBe(false);
    expect((await run(path, "kept")).output).toBe(1);
  });

  test("works in the cwd that it was given, with the environment that it was given, and without the server's secrets", async () => {
    const { session, run, workDir } = server();
    process.env["TASKWEAVER_SERVER_API_KEY"] = "secret";
    try {
      const cwd = join(workDir, "elsewhere/deep");
      const path = await session({ cwd, env: { COLOUR: "grün" } });
      const result = await run(
        path,
        "import os\nopen('made.txt', 'w').close()\n[os.getcwd(), os.environ['COLOUR'], 'TASKWEAVER_SERVER_API_KEY' in os.environ]",
      );
      expect(result.output).toEqual([cwd, "grün", false]);
      expect(await readdir(cwd)).toEqual(["made.txt"]);
    } finally {
      delete process.env["TASKWEAVER_SERVER_API_KEY"];
    }
  });
});

let shared: string | undefined;

test("a second server on the work directory says so, has none of the sessions, and leaves them as they are when it ends", async () => {
  const { session, run, workDir } = server();
  const path = await session();
  await run(path, "x = 1");
  const second = await startServerProcess(workDir, await freePort());
  try {
    expect(second.words.join("\n")).toContain("another server uses this work directory");
    expect(await second.client.listSessions()).toEqual([]);
  } finally {
    await second.end("SIGTERM");
  }
  expect(await run(path, "x")).toMatchObject({ output: 1, state_kept: true });
});
