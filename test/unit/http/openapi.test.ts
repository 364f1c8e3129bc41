/** The OpenAPI document: valid, whole, and about the paths of the contract. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { openApp } from "../../helpers/test-app.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

interface Operation {
  summary?: string;
  tags?: string[];
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: unknown;
  responses: Record<string, { content?: unknown }>;
}

const document = sharedByAll(async () => {
  const { call } = await openApp();
  const text = (await call("GET", "//openapi.json")).body;
  return JSON.parse(text) as {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, unknown> };
  };
});

test("is valid OpenAPI 3.1", async () => {
  expect(document().openapi).toMatch(/^3\.1\./);
  const result = await new Validator().validate(structuredClone(document()));
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
});

describe("every operation of the contract", () => {
  test.each([
    "GET /health",
    "GET /ready",
    "GET /sessions",
    "POST /sessions",
    "GET /sessions/{session_id}",
    "DELETE /sessions/{session_id}",
    "POST /sessions/{session_id}/plugins",
    "DELETE /sessions/{session_id}/plugins/{name}",
    "POST /sessions/{session_id}/plugins/{name}/test",
    "POST /sessions/{session_id}/execute",
    "GET /sessions/{session_id}/execute/{exec_id}",
    "GET /sessions/{session_id}/execute/{exec_id}/stream",
    "POST /sessions/{session_id}/execute/{exec_id}/interrupt",
    "POST /sessions/{session_id}/execute/{exec_id}/input",
    "GET /sessions/{session_id}/executions",
    "POST /sessions/{session_id}/restart",
    "POST /sessions/{session_id}/variables",
    "POST /sessions/{session_id}/files",
    "GET /sessions/{session_id}/files",
    "PUT /sessions/{session_id}/files/{path}",
    "GET /sessions/{session_id}/artifacts/{filename}",
    "HEAD /sessions/{session_id}/artifacts/{filename}",
    "POST /leases/{lease_id}",
    "PUT /leases/{lease_id}",
    "DELETE /leases/{lease_id}",
  ])("%s is there, with its parameters, a summary and its errors", (line) => {
    const [method, path] = line.split(" ") as [string, string];
    const operation = document().paths[`/api/v1${path}`]?.[method.toLowerCase()];
    expect(operation).toBeDefined();
    expect(operation?.summary).toMatch(/\w/);
    expect(operation?.tags).toHaveLength(1);
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));
    const parameters = operation?.parameters?.filter((parameter) => parameter.in === "path") ?? [];
    expect(parameters.map((parameter) => parameter.name).toSorted()).toEqual(named.toSorted());
    expect(parameters.every((parameter) => parameter.required)).toBe(true);
    if (!path.match(/^\/(health|ready)$/))
      expect(Object.keys(operation?.responses ?? {})).toEqual(expect.arrayContaining(["401", "403", "422"]));
  });
});

test("every reference leads to a schema, and every named schema is used or is the contract's", () => {
  const references = [...JSON.stringify(document()).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  const schemas = Object.keys(document().components.schemas);
  for (const name of new Set(references)) expect(schemas).toContain(name);
  expect(schemas).toEqual(expect.arrayContaining(["Artifact", "Error", "ExecutionResult", "SessionInfo", "CreateSessionRequest"]));
});

test("holds no wildcard and nothing of the router", () => {
  for (const path of Object.keys(document().paths)) expect(path).not.toMatch(/[*:]/);
});

test("what a stopped session would need a kernel for names the answer of a server that may have no more", async () => {
  const { call, kernels } = await openApp({ store: { maxSessions: 1 } });
  await call("POST", "/sessions", { session_id: "idle", idle_timeout: 0.05 });
  await call("POST", "/sessions/idle/plugins", { name: "p", code: "" });
  await kernels.last.process.exited;
  await call("POST", "/sessions", { session_id: "other" });
  const attempts = [
    ["POST", "/plugins", "/plugins", { name: "q", code: "" }],
    ["DELETE", "/plugins/{name}", "/plugins/p", undefined],
    ["POST", "/plugins/{name}/test", "/plugins/p/test", undefined],
    ["POST", "/restart", "/restart", undefined],
    ["POST", "/execute", "/execute", { exec_id: "x", code: "" }],
  ] as const;
  for (const [method, template, below, body] of attempts) {
    const answer = await call(method, `/sessions/idle${below}`, body);
    expect([method, template, answer.statusCode, answer.json().code]).toEqual([method, template, 429, "session_limit"]);
    const operation = document().paths[`/api/v1/sessions/{session_id}${template}`]?.[method.toLowerCase()];
    expect(Object.keys(operation?.responses ?? {})).toContain("429");
  }
});
