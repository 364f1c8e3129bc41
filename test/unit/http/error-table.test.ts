/** Every code of the error table is caused here over HTTP, or listed as belonging to a part that is not in this application. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LightMyRequestResponse } from "fastify";
import { describe, expect, test, vi } from "vitest";
import { AppError, ERROR_TABLE, type ErrorCode } from "../../../src/errors.ts";
import { hold, settle } from "../../helpers/fake-session.ts";
import { API, KEY, openAppWithSession, type TestApp } from "../../helpers/test-app.ts";

/** Nothing in this application answers with these. */
const ELSEWHERE: Partial<Record<ErrorCode, string>> = {
  executor_cut_off: "the gateway's answer where a connection broke in a request that must not be sent twice",
  executor_fault: "the gateway's answer where an executor refuses the gateway itself",
  no_executor: "the gateway's answer where nobody takes sessions",
  executor_lost: "the gateway's answer for a session whose executor is gone",
  starting: "the answer of a server that takes sessions back, see sessions.test.ts",
};

const EXECUTE = "/sessions/s1/execute";
const LARGE = { "content-type": "application/json", "x-api-key": KEY };

const CAUSES: Partial<Record<ErrorCode, (app: TestApp) => Promise<LightMyRequestResponse>>> = {
  plugin_failed: ({ call, kernels }) => {
    kernels.last.kernel.on("taskweaver_load_plugin_request", (request) => void request.answer({ status: "error", evalue: "no" }));
    return call("POST", "/sessions/s1/plugins", { name: "p", code: "" });
  },
  unsupported_by_kernel: async ({ call, kernels }) => {
    kernels.kernelOptions = { kernelInfo: { taskweaver_protocol: undefined } };
    await call("POST", "/sessions", { session_id: "other" });
    return call("POST", "/sessions/other/plugins", { name: "p", code: "" });
  },
  unauthorized: ({ call }) => call("GET", "/sessions", undefined, { headers: { "x-api-key": "wrong" } }),
  origin_refused: ({ call }) => call("GET", "/sessions", undefined, { headers: { "x-api-key": KEY, origin: "http://evil.example" } }),
  host_refused: ({ call }) => call("GET", "/sessions", undefined, { headers: { host: "evil.example" } }),
  not_found: ({ call }) => call("GET", "/nothing"),
  session_not_found: ({ call }) => call("GET", "/sessions/unknown"),
  execution_not_found: ({ call }) => call("GET", `${EXECUTE}/unknown`),
  stream_expired: async ({ call, store }) => {
    await call("POST", EXECUTE, { exec_id: "x", code: "" });
    store.get("s1").execution("x").expireStream();
    return call("GET", `${EXECUTE}/x/stream`);
  },
  artifact_not_found: ({ call }) => call("GET", "/sessions/s1/artifacts/unknown"),
  plugin_not_found: ({ call }) => call("DELETE", "/sessions/s1/plugins/unknown"),
  lease_not_found: ({ call }) => call("PUT", "/leases/unknown", { seconds: 1 }),
  method_not_allowed: ({ call }) => call("PATCH", "/sessions"),
  session_exists: ({ call }) => call("POST", "/sessions", { session_id: "s1" }),
  execution_exists: async ({ call, kernels }) => {
    hold(kernels);
    await call("POST", EXECUTE, { exec_id: "x", code: "", stream: true });
    return call("POST", EXECUTE, { exec_id: "x", code: "" });
  },
  execution_done: async ({ call }) => {
    await call("POST", EXECUTE, { exec_id: "x", code: "" });
    return call("POST", `${EXECUTE}/x/interrupt`);
  },
  no_input_requested: async ({ call, kernels }) => {
    hold(kernels);
    await call("POST", EXECUTE, { exec_id: "x", code: "", stream: true });
    return call("POST", `${EXECUTE}/x/input`, { text: "" });
  },
  body_too_large: ({ call }) => call("POST", "/sessions", JSON.stringify({ session_id: "x".repeat(2_000_000) }), { headers: LARGE }),
  unsupported_media_type: ({ call }) => call("POST", "/sessions", "{}", { headers: { ...LARGE, "content-type": "text/plain" } }),
  range_not_satisfiable: async ({ call, store }) => {
    await writeFile(join(store.get("s1").workspace.cwd, "f"), "1");
    return call("GET", "/sessions/s1/artifacts/f", undefined, { headers: { "x-api-key": KEY, range: "bytes=5-" } });
  },
  invalid_request: ({ call }) => call("POST", "/sessions", {}),
  invalid_json: ({ call }) => call("POST", "/sessions", "{", { headers: LARGE }),
  invalid_path: ({ call }) => call("POST", "/sessions/s1/files", { filename: "../x", content: "" }),
  invalid_base64: ({ call }) => call("POST", "/sessions/s1/files", { filename: "x", content: "=" }),
  unknown_kernel: ({ call, kernels }) => {
    kernels.onLaunch = () => {
      throw new AppError("unknown_kernel");
    };
    return call("POST", "/sessions", { session_id: "other", kernel: "fortran" });
  },
  idempotency_mismatch: async ({ call }) => {
    const headers = { "x-api-key": KEY, "idempotency-key": "k" };
    await call("POST", EXECUTE, { exec_id: "x", code: "1" }, { headers });
    return call("POST", EXECUTE, { exec_id: "x", code: "2" }, { headers });
  },
  session_limit: ({ call }) => call("POST", "/sessions", { session_id: "s2" }).then(() => call("POST", "/sessions", { session_id: "s3" })),
  queue_limit: async ({ call, kernels }) => {
    hold(kernels);
    for (const exec_id of ["a", "b"]) await call("POST", EXECUTE, { exec_id, code: "", stream: true });
    return call("POST", EXECUTE, { exec_id: "c", code: "" });
  },
  internal: ({ call, store }) => {
    vi.spyOn(store, "list").mockImplementationOnce(() => {
      throw new TypeError("secret detail of the implementation");
    });
    return call("GET", "/sessions");
  },
  kernel_start_failed: ({ call, kernels }) => {
    kernels.onLaunch = ({ process }) => process.die({ exitCode: 1 });
    return call("POST", "/sessions", { session_id: "other" });
  },
  shutting_down: ({ call, store }) => {
    store.refuseNewWork();
    return call("POST", EXECUTE, { exec_id: "x", code: "" });
  },
  no_space: ({ call, store }) => {
    const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
    vi.spyOn(store.get("s1"), "touch").mockImplementationOnce(() => {
      throw new AppError("no_space", undefined, { cause: full });
    });
    return call("POST", "/sessions/s1/files", { filename: "x", content: "" });
  },
};

describe("the code", () => {
  test.each(Object.keys(CAUSES) as ErrorCode[])("%s has its status, one sentence, and no word of the inside", async (code) => {
    const app = await openAppWithSession({ store: { maxSessions: 2, maxQueue: 1 } });
    const answer = await CAUSES[code]!(app);
    await settle();
    const { status } = ERROR_TABLE[code];
    const body = answer.json() as { detail: string; code: string; errors?: unknown };
    expect([answer.statusCode, body.code]).toEqual([status, code]);
    expect(body.detail).toMatch(/^\S.*\S$/);
    expect(body.detail).not.toContain("secret");
    expect(Object.keys(body).toSorted()).toEqual(status === 422 ? ["code", "detail", "errors"] : ["code", "detail"]);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(answer.headers["retry-after"] !== undefined).toBe(status === 429 || status === 503);
    expect((await app.call("GET", "/health")).statusCode).toBe(200);
  });
});

test("every code of the table is caused here or belongs elsewhere", () => {
  expect([...Object.keys(CAUSES), ...Object.keys(ELSEWHERE)].toSorted()).toEqual(Object.keys(ERROR_TABLE).toSorted());
});

test("the prefix of every path is the contract's", () => {
  expect(API).toBe("/api/v1");
});
