/** Files of a session over HTTP: uploaded, put, listed, downloaded whole or in part. */
import { mkdir, open, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { KEY, openAppWithSession, type TestApp } from "../../helpers/test-app.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

const HEADERS = { "x-api-key": KEY };
const shared = sharedByAll(async () => {
  const test = await openAppWithSession({ settings: { maxBodyBytes: 50_000 } });
  return { ...test, cwd: test.store.get("s1").workspace.cwd };
});

describe("POST files", () => {
  test("takes base64 and text, folders included, and says where the file is", async () => {
    const { call, cwd } = shared();
    for (const [body, content] of [
      [{ filename: "data/a.bin", content: "AP8=" }, Buffer.from([0, 255])],
      [{ filename: "data/a.bin", content: "AP8B", encoding: "base64" }, Buffer.from([0, 255, 1])],
      [{ filename: "ü.txt", content: "ü\u2028\r\n", encoding: "text" }, Buffer.from("ü\u2028\r\n")],
      [{ filename: "empty", content: "" }, Buffer.alloc(0)],
    ] as const) {
      const answer = await call("POST", "/sessions/s1/files", body);
      expect([answer.statusCode, answer.json()]).toEqual([
        200,
        { filename: body.filename, status: "uploaded", path: join(cwd, body.filename) },
      ]);
      expect(await readFile(join(cwd, body.filename))).toEqual(content);
    }
  });

  test.each(["A", "AA", "AAA", "AA=A", "====", "A===", "AA==AA==", "AAA\n", " AAAA", "AA-_", "AAAAé==="])(
    "of %j is 422: base64 is strict",
    async (content) => {
      const { call, cwd } = shared();
      const answer = await call("POST", "/sessions/s1/files", { filename: "never", content });
      expect([answer.statusCode, answer.json()]).toMatchObject([422, { code: "invalid_base64", errors: [{ path: "/content" }] }]);
      expect(await readdir(cwd)).not.toContain("never");
    },
  );

  test.each(["../x", "/etc/x", "a/../../x", "a\0", "..", ".", "a/", `${"x".repeat(256)}`])("to %j is 422", async (filename) => {
    const { call } = shared();
    const answer = await call("POST", "/sessions/s1/files", { filename, content: "" });
    expect([answer.statusCode, answer.json()]).toMatchObject([422, { code: "invalid_path", errors: [{ path: "/filename" }] }]);
  });

  test("where the disk is full is 507, and nothing of it stays", async () => {
    const { call, cwd } = shared();
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    const handle = await open("/dev/null");
    const failing = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, "writeFile").mockRejectedValue(full);
    await handle.close();
    try {
      const answer = await call("POST", "/sessions/s1/files", { filename: "too-much", content: "AAAA" });
      expect([answer.statusCode, answer.json()]).toEqual([
        507,
        { detail: "There is no space left on the server's disk.", code: "no_space" },
      ]);
    } finally {
      failing.mockRestore();
    }
    expect((await readdir(cwd)).filter((name) => name.includes("too-much") || name.startsWith(".taskweaver"))).toEqual([]);
  });
});

describe("PUT files/{path}", () => {
  test.each(["application/octet-stream", "application/json", "text/csv", undefined])(
    "takes the raw body, as %s or whatever",
    async (type) => {
      const { call, cwd } = shared();
      const name = `put-${String(type).replace("/", "-")}`;
      const put = (payload: Buffer) =>
        call("PUT", `/sessions/s1/files/a%20b/${name}`, payload, {
          headers: { ...HEADERS, ...(type === undefined ? {} : { "content-type": type }) },
        });
      const bytes = Buffer.from('{"not": "parsed"');
      const first = await put(bytes);
      expect([first.statusCode, first.json()]).toEqual([
        201,
        { path: `a b/${name}`, size: bytes.length, modified_at: expect.stringMatching(/Z$/) },
      ]);
      const second = await put(Buffer.from("two"));
      expect([second.statusCode, second.json().size]).toEqual([200, 3]);
      expect(await readFile(join(cwd, "a b", name), "utf8")).toBe("two");
      const empty = await put(Buffer.alloc(0));
      expect([empty.statusCode, empty.json().size]).toEqual([200, 0]);
    },
  );

  test.each(["application/octet-stream", "application/json"])("is bounded by no limit of bodies, as %s", async (type) => {
    const { call } = shared();
    const payload = Buffer.alloc(200_000, "x");
    const answer = await call("PUT", "/sessions/s1/files/large", payload, { headers: { ...HEADERS, "content-type": type } });
    expect(answer.json()).toMatchObject({ size: 200_000 });
  });

  test.each(["%2e%2e%2fx", "..%2fx", "a%2f..%2f..%2fx", "%2fetc%2fx", "a%00b", "a/"])("to %s is 422", async (path) => {
    const { call } = shared();
    const answer = await call("PUT", `/sessions/s1/files/${path}`, Buffer.from("x"), {
      headers: { ...HEADERS, "content-type": "text/plain" },
    });
    expect([answer.statusCode, answer.json().code]).toEqual([422, "invalid_path"]);
  });

  test("whose client breaks off leaves the old file and no half one", async () => {
    const test = await openAppWithSession();
    const { cwd } = test.store.get("s1").workspace;
    await writeFile(join(cwd, "f"), "old");
    const url = `${await test.serve()}/api/v1/sessions/s1/files/f`;
    const left = new AbortController();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(new TextEncoder().encode("half"));
        await vi.waitFor(async () => expect((await readdir(cwd)).length).toBe(2));
        left.abort();
      },
    });
    await fetch(url, { method: "PUT", headers: HEADERS, body, duplex: "half", signal: left.signal } as RequestInit).catch(() => undefined);
    await vi.waitFor(async () => expect(await readdir(cwd)).toEqual(["f"]));
    expect(await readFile(join(cwd, "f"), "utf8")).toBe("old");
  });
});

test("GET files lists what is there, by path", async () => {
  const { call, store } = await openAppWithSession();
  const { cwd } = store.get("s1").workspace;
  await mkdir(join(cwd, "b"));
  for (const name of ["b/c", "a"]) await writeFile(join(cwd, name), name);
  const modified_at = expect.stringMatching(/^\d{4}-.*Z$/);
  expect((await call("GET", "/sessions/s1/files")).json()).toEqual({
    files: [
      { path: "a", size: 1, modified_at },
      { path: "b/c", size: 3, modified_at },
    ],
  });
});

describe("GET artifacts/{filename}", () => {
  test("gives the bytes as an attachment, with their type, an ETag and the word that parts can be had", async () => {
    const answer = await download("plot.png", Buffer.from([0x89, 0x50, 0, 255]));
    expect([answer.statusCode, answer.rawPayload]).toEqual([200, Buffer.from([0x89, 0x50, 0, 255])]);
    expect(answer.headers).toMatchObject({
      "content-type": "image/png",
      "content-length": "4",
      "content-disposition": `attachment; filename="plot.png"; filename*=UTF-8''plot.png`,
      "accept-ranges": "bytes",
      etag: expect.stringMatching(/^(W\/)?".+"$/),
      "x-content-type-options": "nosniff",
      "cache-control": "no-cache",
    });
  });

  test.each([
    ["a.html", "text/html; charset=utf-8"],
    ["a.txt", "text/plain; charset=utf-8"],
    ["a.svg", "image/svg+xml"],
    ["a.json", "application/json"],
    ["a.csv", "text/csv; charset=utf-8"],
    ["a", "application/octet-stream"],
    ["a.unheard-of", "application/octet-stream"],
  ])("of %s is %s, and never shown in place", async (name, type) => {
    const { headers } = await download(name, Buffer.from("x"));
    expect(headers["content-type"]).toBe(type);
    expect(headers["content-disposition"]).toMatch(/^attachment/);
  });

  test.each([
    ['q"uo\\te.txt', `attachment; filename="q_uo_te.txt"; filename*=UTF-8''q%22uo%5Cte.txt`],
    ["日本 ü.txt", `attachment; filename="__ _.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%C3%BC.txt`],
    ["line\r\nX-Evil: 1", `attachment; filename="line__X-Evil: 1"; filename*=UTF-8''line%0D%0AX-Evil%3A%201`],
    ["it's(1)*.txt", `attachment; filename="it's(1)*.txt"; filename*=UTF-8''it%27s%281%29%2A.txt`],
    ["deep/er/%2e.txt", `attachment; filename="%2e.txt"; filename*=UTF-8''%252e.txt`],
    [".hidden", `attachment; filename=".hidden"; filename*=UTF-8''.hidden`],
  ])("names %j so that every client can", async (name, disposition) => {
    const { statusCode, headers, body } = await download(name, Buffer.from("x"));
    expect([statusCode, body, headers["content-disposition"]]).toEqual([200, "x", disposition]);
    expect(headers).not.toHaveProperty("x-evil");
  });

  test.each([
    ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
    ["bytes=4-", 206, "456789", "bytes 4-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=8-99", 206, "89", "bytes 8-9/10"],
    ["bytes=0-0,-1", 200, "0123456789", undefined],
    ["lines=0-3", 200, "0123456789", undefined],
  ])("with Range: %s is %i", async (range, status, body, contentRange) => {
    const answer = await download("digits", Buffer.from("0123456789"), { range });
    expect([answer.statusCode, answer.body, answer.headers["content-range"]]).toEqual([status, body, contentRange]);
  });

  test("with a range that lies outside is 416 with the size", async () => {
    const answer = await download("digits", Buffer.from("0123456789"), { range: "bytes=10-" });
    expect([answer.statusCode, answer.json().code, answer.headers["content-range"]]).toEqual([416, "range_not_satisfiable", "bytes */10"]);
  });

  test("that the client has is 304; a range of what has changed since is the whole", async () => {
    const { etag } = (await download("f", Buffer.from("0123456789"))).headers as { etag: string };
    const same = await get("f", { "if-none-match": etag });
    expect([same.statusCode, same.body]).toEqual([304, ""]);
    expect((await get("f", { "if-none-match": '"other"' })).statusCode).toBe(200);
    expect((await get("f", { range: "bytes=0-1", "if-range": '"other"' })).statusCode).toBe(200);
  });

  test("by HEAD is the same without the bytes", async () => {
    const whole = await download("plot.png", Buffer.from("12345"));
    const head = await shared().call("HEAD", "/sessions/s1/artifacts/plot.png");
    expect([head.statusCode, head.body]).toEqual([200, ""]);
    for (const name of ["content-type", "content-length", "etag", "content-disposition", "accept-ranges"])
      expect([name, head.headers[name]]).toEqual([name, whole.headers[name]]);
    expect((await shared().call("HEAD", "/sessions/s1/artifacts/missing")).statusCode).toBe(404);
  });

  test.each(["missing", "..%2fces%2fkernel.log", "%2e%2e%2f%2e%2e%2fx", "%2fetc%2fpasswd", "a%00b", "folder", "folder/", "", "link", "."])(
    "of %j is 404: nothing outside, no folder, nothing that is not there",
    async (path) => {
      const { call, cwd } = shared();
      await mkdir(join(cwd, "folder"), { recursive: true });
      await symlink("/etc/passwd", join(cwd, "link")).catch(() => undefined);
      const answer = await call("GET", `/sessions/s1/artifacts/${path}`);
      expect([answer.statusCode, answer.json().code]).toEqual([404, "artifact_not_found"]);
    },
  );

  test("keeps no file open, however it ends", async () => {
    const { serve, store } = await openAppWithSession();
    await writeFile(join(store.get("s1").workspace.cwd, "large"), Buffer.alloc(20_000_000));
    const url = `${await serve()}/api/v1/sessions/s1/artifacts/large`;
    const openFiles = async () => (await readdir("/proc/self/fd")).length;
    await (await fetch(url, { headers: HEADERS })).arrayBuffer();
    const before = await openFiles();
    for (const over of [
      { method: "HEAD" },
      { headers: { ...HEADERS, range: "bytes=0-1" } },
      { headers: { ...HEADERS, range: "bytes=99999999-" } },
    ]) {
      for (let count = 0; count < 5; count += 1) await (await fetch(url, { headers: HEADERS, ...over })).arrayBuffer();
    }
    for (let count = 0; count < 5; count += 1) await (await fetch(url, { headers: HEADERS })).body!.cancel();
    await vi.waitFor(async () => expect(await openFiles()).toBeLessThanOrEqual(before + 2));
  });
});

async function download(name: string, content: Buffer, headers: Record<string, string> = {}) {
  const { cwd } = shared();
  const path = join(cwd, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, content);
  return get(name, headers);
}

function get(name: string, headers: Record<string, string>): ReturnType<TestApp["call"]> {
  const path = name.split("/").map(encodeURIComponent).join("/");
  return shared().call("GET", `/sessions/s1/artifacts/${path}`, undefined, { headers: { ...HEADERS, ...headers } });
}
