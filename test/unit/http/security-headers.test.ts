/** Security headers: on every answer, whatever it is; the pages among them have rules of their own. */
import { expect, test } from "vitest";
import { framesOf } from "../../helpers/event-stream.ts";
import { request } from "../../helpers/raw-http.ts";
import { API, KEY, openApp, openAppWithSession } from "../../helpers/test-app.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

const shared = sharedByAll(() => openAppWithSession());
const NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

test.each([
  ["an answer", "GET", `/sessions`, undefined, 200],
  ["health, which anyone may ask", "GET", "/health", undefined, 200],
  ["an unknown session", "GET", "/sessions/nobody", undefined, 404],
  ["an unknown path", "GET", "//nothing", undefined, 404],
  ["a path that cannot be decoded", "GET", "//%zz", undefined, 404],
  ["another method", "PUT", "/sessions", undefined, 405],
  ["a body that does not fit", "POST", "/sessions", { session_id: "../x" }, 422],
  ["the document", "GET", "//openapi.json", undefined, 200],
  ["figures", "GET", "//metrics", undefined, 200],
  ["Jupyter's door", "GET", "//api/kernels", undefined, 200],
  ["Jupyter's unknown kernel", "GET", "//api/kernels/nobody", undefined, 404],
])("%s is no page", async (_what, method, path, body, status) => {
  const answer = await shared().call(method, path, body);
  expect(answer.statusCode).toBe(status);
  expectNoPage(answer.headers);
});

test("neither is what the doors refuse", async () => {
  const { app } = shared();
  const url = `${API}/sessions`;
  for (const [headers, status] of [
    [{ "x-api-key": "wrong" }, 401],
    [{ origin: "https://evil.example" }, 403],
    [{ host: "evil.example" }, 403],
  ] as const) {
    const answer = await app.inject({ url, headers });
    expect(answer.statusCode).toBe(status);
    expectNoPage(answer.headers);
  }
  const typed = await app.inject({ method: "POST", url, payload: "x", headers: { "x-api-key": KEY, "content-type": "text/html" } });
  expect(typed.statusCode).toBe(415);
  expectNoPage(typed.headers);
  const preflight = await app.inject({ method: "OPTIONS", url, headers: { "x-api-key": KEY } });
  expectNoPage(preflight.headers);
});

test.each(["page.html", "page.svg", "page.xhtml", "page.pdf", "script.js", "folder.html/inside.txt"])(
  "a download of %s is one, and nothing that a browser would run",
  async (filename) => {
    const content = "<script>alert(1)</script>";
    await shared().call("POST", "/sessions/s1/files", { filename, content, encoding: "text" });
    const answer = await shared().call("GET", `/sessions/s1/artifacts/${filename}`);
    expect([answer.statusCode, answer.body]).toEqual([200, content]);
    expectNoPage(answer.headers);
    expect(answer.headers["content-disposition"]).toMatch(/^attachment;/);
    const missing = await shared().call("GET", "/sessions/s1/artifacts/missing.html");
    expect(missing.headers["content-type"]).toMatch(/^application\/json/);
    expectNoPage(missing.headers);
  },
);

test("a stream is none either", async () => {
  const { call } = shared();
  await call("POST", "/sessions/s1/execute", { exec_id: "streamed", code: "", stream: true });
  const answer = await call("GET", "/sessions/s1/execute/streamed/stream");
  expect(framesOf(answer.body).at(-1)).toMatchObject({ event: "done" });
  expectNoPage(answer.headers);
});

test("what is not HTTP gets an answer whose type is not guessed at", async () => {
  const url = await (await openApp()).serve();
  const answer = await request(url, "NONSENSE\0 /", []);
  expect(answer.head).toMatch(/x-content-type-options: nosniff/i);
});

test("the pages, which have scripts, are in no frame of another's and load nothing from elsewhere", async () => {
  for (const path of ["//", "//docs"]) {
    const { headers, statusCode } = await shared().call("GET", path);
    if (statusCode === 404) continue; // the console is not built
    expect(headers["content-security-policy"]).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(headers["content-security-policy"]).not.toMatch(/unsafe|\*|sandbox/);
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  }
});

test("only pages that cors_origins names may show what the server has", async () => {
  const { app } = await openApp({ settings: { corsOrigins: ["https://lab.example"] } });
  const answer = await app.inject({ url: `${API}/health` });
  expect(answer.headers["cross-origin-resource-policy"]).toBeUndefined();
  expect(answer.headers["x-content-type-options"]).toBe("nosniff");
});

function expectNoPage(headers: Record<string, unknown>): void {
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "content-security-policy": NO_PAGE,
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
  });
  expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
}
