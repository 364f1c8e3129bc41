/** Text is exact: nothing lost, doubled or moved, however much there is and whoever writes it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { ExecutionResult } from "../../src/api/index.ts";
import { textOf } from "../helpers/event-stream.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const live = sharedByAll(async () => {
  const server = await startLiveServer({ maxOutputBytes: 8_000_000 });
  return { ...server, path: await server.session() };
});

describe("what the code writes", () => {
  test("arrives whole and in order: 300,000 lines, streamed and in the result", async () => {
    const { stream, path } = live();
    const frames = await stream(path, "for i in range(300_000): print(i)");
    const expected = Array.from({ length: 300_000 }, (_, index) => `${index}\n`).join("");
    expect(textOf(frames) === expected).toBe(true);
    const result = frames.at(-2)?.data as unknown as ExecutionResult;
    expect(result.stdout.join("") === expected).toBe(true);
    expect(result.truncated).toBeNull();
  });

  test.each([
    [
      "every kind of character",
      String.raw`print('ü 日本 😀 e\u0301 \u200f \u0085 \u2028 \u2029 \x00 \x1b[31m \ufeff \U0010ffff')`,
      "ü 日本 😀 e\u0301 \u200f \u0085 \u2028 \u2029 \0 \u001b[31m \ufeff \u{10ffff}\n",
    ],
    ["progress bars", "for i in range(0, 101, 50): print(f'\\r{i:3}%', end='', flush=True)", "\r  0%\r 50%\r100%"],
    ["line ends of all systems", String.raw`import sys; sys.stdout.write('a\r\nb\rc\n\n')`, "a\r\nb\rc\n\n"],
    ["no line end at all", "import sys; sys.stdout.write('x' * 100_000)", "x".repeat(100_000)],
    ["nothing", "print(end='')", ""],
    [
      "bytes that are written below Python",
      String.raw`import os, sys; sys.stdout.write('1 '); sys.stdout.flush(); os.write(1, 'ü2\n'.encode())`,
      "1 ü2\n",
    ],
    [
      "a child process",
      "import subprocess; print('before', flush=True); subprocess.run(['printf', 'child %s\\n', 'ü']); print('after')",
      "before\nchild ü\nafter\n",
    ],
    ["a cell of shell commands", "%%sh\nprintf 'one\\ntwo\\n'", "one\ntwo\n"],
  ])("as %s is exact", async (_, code, expected) => {
    const { run, path } = live();
    const result = await run(path, code);
    expect(result.stdout.join("")).toBe(expected);
    expect(result.error).toBeNull();
  });

  test("on stderr and stdout stays in its order on each", async () => {
    const { stream, path } = live();
    const frames = await stream(path, "import sys\nfor i in range(1000):\n    print(i)\n    print(i, file=sys.stderr)");
    const expected = Array.from({ length: 1000 }, (_, index) => `${index}\n`).join("");
    expect(textOf(frames, "stdout")).toBe(expected);
    expect(textOf(frames, "stderr")).toBe(expected);
  });

  test("from many threads at once is whole", async () => {
    const { run, path } = live();
    const code = [
      "import threading",
      "def write(name):",
      "    for i in range(500): print(f'{name}-{i}\\n', end='')",
      "threads = [threading.Thread(target=write, args=(n,)) for n in 'abcd']",
      "for t in threads: t.start()",
      "for t in threads: t.join()",
    ].join("\n");
    const lines = (await run(path, code)).stdout.join("").split("\n");
    for (const name of "abcd") {
      expect(lines.filter((line) => line.startsWith(`${name}-`))).toEqual(Array.from({ length: 500 }, (_, index) => `${name}-${index}`));
    }
  });

  test("is streamed as it is written, not at the end", async () => {
    const { call, url, path } = live();
    const code = "import time\nprint('first', flush=True)\nwhile not __import__('os').path.exists('go'): time.sleep(0.01)\nprint('second')";
    const started = await call<{ stream_url: string }>("POST", `${path}/execute`, { exec_id: "live", code, stream: true });
    const response = await fetch(`${url}${started.json.stream_url}`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("first")) text += (await reader.read()).value;
    expect((await call("GET", `${path}/execute/live`)).json["state"]).toBe("running");
    await call("POST", `${path}/files`, { filename: "go", content: "" });
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    expect(text).toContain("second");
    expect(text).toMatch(/event: done\ndata: \{\}\n\n$/);
  });
});

describe("what is written after the end", () => {
  test("by a thread or a child belongs to the execution that started it, and to no other", async () => {
    const { run, call, session } = live();
    const path = await session();
    const code = [
      "import os, subprocess, threading, time",
      "def late():",
      "    while not os.path.exists('go'): time.sleep(0.01)",
      "    print('late thread', flush=True)",
      "threading.Thread(target=late).start()",
      "subprocess.Popen(['sh', '-c', 'while [ ! -e go ]; do sleep 0.02; done; echo late child'])",
      "print('early')",
    ].join("\n");
    expect((await run(path, code, { exec_id: "starter" })).stdout.join("")).toBe("early\n");
    await call("POST", `${path}/files`, { filename: "go", content: "" });
    const resultOf = async (id: string) =>
      (await call<{ result: ExecutionResult }>("GET", `${path}/execute/${id}`)).json.result.stdout.join("");
    await run(path, "import time; time.sleep(0.2); print('mine')", { exec_id: "other" });
    await vi.waitFor(
      async () => expect((await resultOf("starter")).split("\n").toSorted()).toEqual(["", "early", "late child", "late thread"]),
      20_000,
    );
    expect(await resultOf("other")).toBe("mine\n");
  });
});

describe("more than is kept", () => {
  test("is cut with a mark, told, and whole in an artifact", async () => {
    const { run, call, session } = live();
    const path = await session();
    const result = await run(path, "for i in range(1000): print('é' * 9999)", { exec_id: "much" });
    const whole = `${"é".repeat(9999)}\n`.repeat(1000);
    const { truncated } = result;
    expect(truncated?.stdout).toEqual({
      bytes_written: Buffer.byteLength(whole),
      bytes_kept: expect.any(Number),
      artifact: "much-stdout.txt",
    });
    expect(8_000_000 - truncated!.stdout!.bytes_kept).toBeLessThan(4);
    expect(result.stdout.at(-1)).toMatch(/\n\[stdout is cut here, after \d+ bytes; all of it is in much-stdout\.txt\]\n$/);
    expect(result.artifact).toMatchObject([{ name: "much-stdout", type: "txt", file_name: "much-stdout.txt" }]);
    const download = await fetch(result.artifact[0]!.download_url);
    expect((await download.text()) === whole).toBe(true);
    const info = (await call<{ cwd: string }>("GET", path)).json;
    expect((await readFile(join(info.cwd, "much-stdout.txt"), "utf8")) === whole).toBe(true);
  });
});
