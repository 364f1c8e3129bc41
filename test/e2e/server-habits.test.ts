/** What existing clients do, whether or not it is wise, works. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { testPython } from "../helpers/python.ts";
import { startLiveServer } from "../helpers/server.ts";
import { freePort, startServerProcess } from "../helpers/server-process.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const live = sharedByAll(() => startLiveServer());
const JSON_TYPE = { "Content-Type": "application/json" };

/** As existing clients read streams: httpx, whose iter_lines splits where Python's str.splitlines does. */
const READ_STREAM = `
import httpx, json, sys
api, path = sys.argv[1:]
headers = {"Content-Type": "application/json"}
code = "print('a\\\\u2028b\\\\u0085c\\\\u2029d\\\\x0b\\\\x0ce\\\\x1c')\\n'v\\\\u2028w\\\\u0085x'"
with httpx.Client(base_url=api, headers=headers, trust_env=False) as client:
    started = client.post(path + "/execute", json={"exec_id": "lines", "code": code, "stream": True}).json()
    events, event = [], None
    url = api.split("/api/v1")[0] + started["stream_url"]
    with client.stream("GET", url) as response:
        for line in response.iter_lines():
            if line.startswith("event:"): event = line[6:].strip()
            elif line.startswith("data:"): events.append([event, json.loads(line[5:])])
            elif line and not line.startswith(("id:", ":")): raise SystemExit("a line of no kind: " + repr(line))
    print(json.dumps(events))
`;

describe("existing clients", () => {
  test("send a JSON content type with every GET and DELETE", async () => {
    const { session, call } = live();
    const path = await session();
    for (const [method, url] of [
      ["GET", "/health"],
      ["GET", path],
      ["GET", `${path}/files`],
      ["DELETE", path],
    ] as const) {
      expect([method, url, (await call(method, url, undefined, JSON_TYPE)).status]).toEqual([method, url, 200]);
    }
  });

  test("take 409 as: it is there, use it", async () => {
    const { call, run } = live();
    expect((await call("POST", "/sessions", { session_id: "reused" })).status).toBe(201);
    await run("/sessions/reused", "x = 1");
    expect((await call("POST", "/sessions", { session_id: "reused" })).status).toBe(409);
    expect((await run("/sessions/reused", "x")).output).toBe(1);
  });

  test("send variables before every execution, mostly none", async () => {
    const { session, call, run } = live();
    const path = await session();
    for (let count = 0; count < 3; count += 1) {
      expect((await call("POST", `${path}/variables`, { variables: {} })).json).toEqual({ status: "updated", variables: {} });
      expect((await run(path, String(count))).output).toBe(count);
    }
  });

  test("split streams wherever Python sees the end of a line", async () => {
    const { session, api } = live();
    const path = await session();
    const { stdout } = await promisify(execFile)(testPython(), ["-c", READ_STREAM, api, path]);
    const events = JSON.parse(stdout) as [string, Record<string, unknown>][];
    expect(events.map(([event]) => event)).toEqual(["output", "result", "done"]);
    expect(events[0]?.[1]).toEqual({ type: "stdout", text: "a\u2028b\u0085c\u2029d\v\fe\u001c\n" });
    expect(events[1]?.[1]).toMatchObject({ output: "v\u2028w\u0085x", stdout: ["a\u2028b\u0085c\u2029d\v\fe\u001c\n"] });
  });

  test("upload 50 MB in base64 within JSON", async () => {
    const { session, call, info } = live();
    const path = await session();
    const bytes = randomBytes(50 * 1024 * 1024);
    const answer = await call("POST", `${path}/files`, { filename: "large.bin", content: bytes.toString("base64") });
    expect([answer.status, answer.json["status"]]).toEqual([200, "uploaded"]);
    const written = await readFile(join((await info(path)).cwd, "large.bin"));
    expect(written.equals(bytes)).toBe(true);
  });

  test("name a directory of another machine", async () => {
    const { call, run } = live();
    const answer = await call("POST", "/sessions", { session_id: "elsewhere", cwd: "/proc/no/such/place" });
    expect([answer.status, answer.json]).toMatchObject([
      201,
      { cwd_requested: "/proc/no/such/place", cwd: expect.stringMatching(/elsewhere\/cwd$/) },
    ]);
    expect((await run("/sessions/elsewhere", "import os; os.getcwd()")).output).toBe(answer.json["cwd"]);
  });
});

describe("files", () => {
  test("are seen by the code at once, and what the code writes can be downloaded", async () => {
    const { session, call, run, api } = live();
    const path = await session();
    await call("POST", `${path}/files`, { filename: "data/in.csv", content: "a,b\n1,2\n", encoding: "text" });
    expect((await run(path, "df = pd.read_csv('data/in.csv'); df.to_csv('out ü.csv', index=False); int(df['b'][0])")).output).toBe(2);
    const answer = await fetch(`${api}${path}/artifacts/${encodeURIComponent("out ü.csv")}`);
    expect([answer.status, await answer.text()]).toEqual([200, "a,b\n1,2\n"]);
    expect((await call<{ files: { path: string }[] }>("GET", `${path}/files`)).json.files.map((file) => file.path)).toEqual([
      "data/in.csv",
      "out ü.csv",
    ]);
  });

  test("of 300 MB are put and downloaded as a stream: larger than any body, and never in memory", async () => {
    const workDir = await mkdtemp(join(tmpdir(), "taskweaver-large-"));
    whenDone(() => rm(workDir, { recursive: true, force: true, maxRetries: 3 }));
    // A process of its own: in this one the client's memory would count.
    const server = await startServerProcess(workDir, await freePort());
    whenDone(() => server.end("SIGTERM"));
    const session = `${server.url}/api/v1/sessions`;
    await fetch(session, { method: "POST", headers: JSON_TYPE, body: '{"session_id":"large"}' });
    const source = join(workDir, "source.bin");
    const block = randomBytes(1024 * 1024);
    await writeFile(source, Array(300).fill(block));
    const before = await peakMemory(server.process.pid);
    const body = createReadStream(source) as unknown as BodyInit;
    const put = await fetch(`${session}/large/files/copy.bin`, { method: "PUT", body, duplex: "half", headers: JSON_TYPE } as RequestInit);
    expect([put.status, await put.json()]).toMatchObject([201, { path: "copy.bin", size: 300 * 1024 * 1024 }]);
    const hash = createHash("sha256");
    const download = await fetch(`${session}/large/artifacts/copy.bin`);
    for await (const chunk of download.body!) hash.update(chunk);
    const expected = createHash("sha256");
    for (let count = 0; count < 300; count += 1) expected.update(block);
    expect(hash.digest("hex")).toBe(expected.digest("hex"));
    expect((await peakMemory(server.process.pid)) - before).toBeLessThan(200 * 1024 * 1024);
  });
});

/** The most memory that a process has had, in bytes. */
async function peakMemory(pid: number | undefined): Promise<number> {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
