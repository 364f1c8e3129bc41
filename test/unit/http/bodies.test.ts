/** How bodies are read: what existing clients send works, everything else is refused with a sentence and leaves the server as it was. */
import { describe, expect, test } from "vitest";
import { API, KEY, openApp, openAppWithSession } from "../../helpers/test-app.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

const shared = sharedByAll(() => openAppWithSession({ settings: { maxBodyBytes: 8_000_000 } }));
const JSON_TYPE = { "x-api-key": KEY, "content-type": "application/json" };

describe("existing clients' habits", () => {
  test.each(["GET /sessions", "GET /sessions/s1", "GET /health", "DELETE /sessions/s1", "POST /sessions/s1/restart"])(
    "%s with a JSON content type and no body works",
    async (line) => {
      const { call } = await openAppWithSession();
      const [method, path] = line.split(" ") as [string, string];
      expect((await call(method, path, undefined, { headers: JSON_TYPE })).statusCode).toBe(200);
      expect((await call("GET", "/sessions", undefined, { headers: { ...JSON_TYPE, "content-length": "0" } })).statusCode).toBe(200);
    },
  );

  test("null means absent, for every optional field", async () => {
    const { call } = await openApp();
    const session = { session_id: "s1", cwd: null, kernel: null, idle_timeout: null, env: null, requires: null };
    expect((await call("POST", "/sessions", session)).json()).toMatchObject({ status: "created" });
    const execution = { exec_id: "x", code: "1", stream: null, timeout: null, allow_input: null };
    expect((await call("POST", "/sessions/s1/execute", execution)).json()).toMatchObject({ is_success: true });
    expect((await call("POST", "/sessions/s1/plugins", { name: "p", code: "", config: null })).statusCode).toBe(200);
    const file = { filename: "f", content: "eA==", encoding: null };
    expect((await call("POST", "/sessions/s1/files", file)).json()).toMatchObject({ status: "uploaded" });
  });

  test("a charset, capitals and a byte order mark make no difference", async () => {
    const { call } = await openApp();
    for (const [index, type] of ["application/json; charset=utf-8", "Application/JSON"].entries()) {
      const payload = `\uFEFF{"session_id":"s${index}"}`;
      expect((await call("POST", "/sessions", payload, { headers: { ...JSON_TYPE, "content-type": type } })).statusCode).toBe(201);
    }
  });
});

describe("a body that is no JSON object of ours is 422", () => {
  test.each([
    ["nothing at all", "", "invalid_request"],
    ["a truncated one", '{"session_id": "s1"', "invalid_json"],
    ["text", "session_id=s1", "invalid_json"],
    ["two of them", "{}{}", "invalid_json"],
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), "invalid_json"],
    ["an array", "[]", "invalid_request"],
    ["null", "null", "invalid_request"],
    ["a number", "3", "invalid_request"],
    ["NaN", '{"session_id": NaN}', "invalid_json"],
    ["a comment", '{"session_id": "s1"} // hello', "invalid_json"],
    ["101 levels of arrays", `{"env":${"[".repeat(101)}${"]".repeat(101)}}`, "invalid_json"],
    ["brackets without end", "[".repeat(500_000), "invalid_json"],
    ["a million commas", `[${"1,".repeat(500_000)}${"1".repeat(3)}]`.repeat(1), "invalid_request"],
  ])("%s", async (_, payload, code) => {
    const { call, store } = shared();
    const answer = await call("POST", "/sessions", payload, { headers: JSON_TYPE });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code, detail: expect.any(String), errors: [{ path: "/", message: expect.any(String) }] });
    expect(store.count).toBe(1);
  });

  test("more than a million values", async () => {
    const { call } = shared();
    const answer = await call("POST", "/sessions", `[${"1,".repeat(1_000_001)}1]`, { headers: JSON_TYPE });
    expect(answer.json()).toMatchObject({ code: "invalid_json", detail: "The request body holds more than 1000000 values." });
  });

  test("but brackets in a string are text", async () => {
    const { call } = await openAppWithSession();
    const code = `x = '''${"[{".repeat(5000)}\\"\\\\''' # "`;
    expect((await call("POST", "/sessions/s1/execute", { exec_id: "x", code })).statusCode).toBe(200);
  });
});

describe("fields", () => {
  test.each([
    [{}, "/session_id", "session_id: required field is missing."],
    [{ session_id: 3 }, "/session_id", "session_id: must be string."],
    [{ session_id: "" }, "/session_id", "session_id: must be 1 to 128 of"],
    [{ session_id: "../x" }, "/session_id", "session_id: must be 1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit."],
    [{ session_id: ".x" }, "/session_id", "session_id: must be 1 to 128 of"],
    [{ session_id: "x\0" }, "/session_id", "session_id: must be 1 to 128 of"],
    [{ session_id: "x\n" }, "/session_id", "session_id: must be 1 to 128 of"],
    [{ session_id: "ü" }, "/session_id", "session_id: must be 1 to 128 of"],
    [{ session_id: "x".repeat(129) }, "/session_id", "session_id: must be 1 to 128 of"],
    [{ session_id: null }, "/session_id", "session_id: must be string."],
    [{ session_id: "new", sesion: 1 }, "/sesion", "sesion: unknown field."],
    [{ session_id: "new", "a/b~c": 1 }, "/a~1b~0c", "unknown field"],
    [{ session_id: "new", idle_timeout: -1 }, "/idle_timeout", "idle_timeout: must be >= 0."],
    [{ session_id: "new", idle_timeout: "5" }, "/idle_timeout", "idle_timeout: must be number,null."],
    [{ session_id: "new", cwd: "" }, "/cwd", "cwd: must be an absolute path"],
    [{ session_id: "new", cwd: "relative" }, "/cwd", "cwd: must be an absolute path, where code works"],
    [{ session_id: "new", env: { A: 1 } }, "/env/A", "env.A: must be string."],
    [{ session_id: "new", env: { "A=B": "1" } }, "/env", "env: must be a name of an environment variable"],
    [{ session_id: "new", env: { "": "1" } }, "/env", "env: must be a name of an environment variable"],
    [{ session_id: "new", env: { A: "\0" } }, "/env/A", "env.A: must be text without NUL."],
    [{ session_id: "new", env: ["A=1"] }, "/env", "env: must be object,null."],
    [{ session_id: "new", requires: "gpu" }, "/requires", "requires: must be array,null."],
  ])("of %j are refused, the field named %s", async (body, path, detail) => {
    const { call, store } = shared();
    const answer = await call("POST", "/sessions", body);
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code: "invalid_request", detail: expect.stringContaining(detail) });
    expect(answer.json().errors[0].path).toBe(path);
    expect(store.count).toBe(1);
  });

  test.each([
    ["execute", { exec_id: "x", code: "1", timeout: 0 }],
    ["execute", { exec_id: "x", code: "1", timeout: "5" }],
    ["execute", { exec_id: "x", code: "1", stream: "yes" }],
    ["execute", { exec_id: "x", code: "1", stream: 1 }],
    ["execute", { exec_id: "x" }],
    ["execute", { exec_id: "x", code: null }],
    ["execute", { exec_id: "x", code: ["1"] }],
    ["execute", { exec_id: "", code: "1" }],
    ["execute", { exec_id: "x/y", code: "1" }],
    ["execute", { exec_id: "x", code: "1", silent: true }],
    ["plugins", { name: "1p", code: "" }],
    ["plugins", { name: "_p", code: "" }],
    ["plugins", { name: "class", code: "" }],
    ["plugins", { name: "p-q", code: "" }],
    ["plugins", { name: "p", code: "", config: [] }],
    ["plugins", { name: "p" }],
    ["variables", {}],
    ["variables", { variables: { a: 1 } }],
    ["variables", { variables: null }],
    ["variables", { variables: [] }],
    ["files", { filename: "f" }],
    ["files", { filename: "f", content: 3 }],
    ["files", { filename: "f", content: "", encoding: "utf8" }],
    ["files", { filename: "", content: "" }],
    ["execute/x/input", { text: 3 }],
  ])("POST %s with %j is 422", async (path, body) => {
    const { call, store } = shared();
    const answer = await call("POST", `/sessions/s1/${path}`, body);
    expect([answer.statusCode, answer.json().code]).toEqual([422, "invalid_request"]);
    expect(store.get("s1").info).toMatchObject({ execution_count: 0, loaded_plugins: [] });
  });

  test.each(["p", "Größe", "名前", "a1_", "match", "x".repeat(128)])("a plugin may be called %s, as Python has it", async (name) => {
    const { call } = shared();
    expect((await call("POST", "/sessions/s1/plugins", { name, code: "" })).json()).toEqual({ name, status: "loaded" });
  });

  test.each(["a", "0", "A.b_c-d", "x".repeat(128), "1.."])("an id may be %s", async (id) => {
    const { call } = shared();
    expect((await call("POST", "/sessions", { session_id: id })).statusCode).toBe(201);
    expect((await call("POST", `/sessions/${id}/execute`, { exec_id: id, code: "" })).statusCode).toBe(200);
    expect((await call("GET", `/sessions/${id}/execute/${id}`)).json()).toMatchObject({ execution_id: id });
  });
});

describe("content types", () => {
  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "text/json", ""])(
    "%j is 415 where a body is read",
    async (type) => {
      const { call } = shared();
      const headers = { "x-api-key": KEY, ...(type === "" ? {} : { "content-type": type }) };
      const answer = await call("POST", "/sessions", Buffer.from('{"session_id":"s1"}'), { headers });
      expect([answer.statusCode, answer.json().code]).toEqual([415, "unsupported_media_type"]);
    },
  );

  test("are of no interest where none is read", async () => {
    const { call } = await openAppWithSession();
    const headers = { "x-api-key": KEY, "content-type": "text/plain" };
    expect((await call("DELETE", "/sessions/s1", "some text", { headers })).statusCode).toBe(200);
  });

  test("with a content encoding are 415: nobody unpacks", async () => {
    const { call } = shared();
    const answer = await call("POST", "/sessions", Buffer.from("x"), { headers: { ...JSON_TYPE, "content-encoding": "gzip" } });
    expect(answer.json()).toMatchObject({ code: "unsupported_media_type", detail: "Send the body without a Content-Encoding." });
  });
});

describe("a body that is too large is 413", () => {
  test("and the sentence is read even by a client that sends all of it first", async () => {
    const { serve, store } = await openApp({ settings: { maxBodyBytes: 100_000 } });
    const url = await serve();
    const body = JSON.stringify({ session_id: "s1", env: { A: "x".repeat(150_000) } });
    const answer = await fetch(`${url}${API}/sessions`, { method: "POST", headers: JSON_TYPE, body });
    expect([answer.status, await answer.json()]).toEqual([
      413,
      { detail: "The request body is larger than 100000 bytes.", code: "body_too_large" },
    ]);
    expect(store.count).toBe(0);
    expect((await fetch(`${url}${API}/health`)).status).toBe(200);
  });

  test("without a length too, and one beyond all measure is not taken to its end", async () => {
    const { serve } = await openApp({ settings: { maxBodyBytes: 100_000 } });
    const url = `${await serve()}${API}/sessions`;
    const chunked = async function* (count: number) {
      for (let sent = 0; sent < count; sent += 1) yield Buffer.alloc(50_000, " ");
    };
    const send = (count: number) =>
      fetch(url, { method: "POST", headers: JSON_TYPE, body: chunked(count), duplex: "half" } as unknown as RequestInit).then(
        (answer) => answer.status,
      );
    expect(await send(3)).toBe(413);
    expect(await send(100_000).catch(() => 413)).toBe(413);
  });
});
