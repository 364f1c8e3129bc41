/**
 * Prototype pollution: field names that mean something to JavaScript itself (`__proto__`, `constructor`, `toString`), in the hope that a merge writes through them
 * into all objects, or that a lookup finds what is every object's own.
 */
import { afterEach, expect, test } from "vitest";
import { KEY } from "../helpers/test-app.ts";
import { sharedByAll } from "../helpers/when-done.ts";
import { expectUnharmed, startVictim } from "./victim.ts";

const victim = sharedByAll(() => startVictim());
const NAMES = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"];

afterEach(async () => {
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
  await expectUnharmed(victim());
});

test.each(NAMES)("a field %s of a request is unknown and refused", async (name) => {
  for (const [path, rest] of [
    ["/sessions", '"session_id":"new"'],
    ["/sessions/s1/execute", '"exec_id":"x","code":""'],
    ["/sessions/s1/files", '"filename":"f","content":""'],
    ["/leases/l", '"seconds":1'],
  ] as const) {
    const answer = await post(path, `{${rest},"${name}":{"polluted":true}}`);
    expect([path, answer.statusCode, answer.json().errors[0].path]).toEqual([path, 422, `/${name}`]);
  }
});

test.each(NAMES)("a session, an execution, a file, a lease called %s is one like others", async (name) => {
  const { call } = victim();
  if (/^[A-Za-z0-9]/.test(name)) {
    expect((await call("GET", `/sessions/${name}`)).statusCode).toBe(404);
    expect((await call("GET", `/sessions/s1/execute/${name}`)).statusCode).toBe(404);
    expect((await call("POST", "/sessions/s1/execute", { exec_id: name, code: "" })).statusCode).toBe(200);
    expect((await call("PUT", `/leases/${name}`, { seconds: 1 })).statusCode).toBe(404);
  }
  expect((await call("GET", `/sessions/s1/artifacts/${name}`)).statusCode).toBe(404);
  expect((await call("POST", "/sessions/s1/files", { filename: name, content: "AAAA" })).statusCode).toBe(200);
  expect((await call("GET", `/sessions/s1/artifacts/${name}`)).statusCode).toBe(200);
});

test.each(NAMES)("a variable, an environment variable, a plugin's setting called %s stays a name", async (name) => {
  const { kernels } = victim();
  const variables = await post("/sessions/s1/variables", `{"variables":{"${name}":"value"}}`);
  expect(variables.body).toBe(`{"status":"updated","variables":{"${name}":"value"}}`);
  expect((await post("/sessions/s1/plugins", `{"name":"p","code":"","config":{"${name}":{"polluted":true}}}`)).statusCode).toBe(200);
  const sent = kernels.launches[0]!.kernel.requests.findLast((one) => one.type === "taskweaver_load_plugin_request");
  expect(JSON.stringify(sent?.content["config"])).toBe(`{"${name}":{"polluted":true}}`);
  const id = `env-${name.replaceAll("_", "")}`;
  expect((await post("/sessions", `{"session_id":"${id}","env":{"${name}":"value"}}`)).statusCode).toBe(201);
  expect(Object.entries(kernels.last.request.env)).toEqual([[name, "value"]]);
});

test("a kernel's messages with such names are data", async () => {
  const { kernels, call } = victim();
  const { kernel } = kernels.launches[0]!;
  const polluting = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as Record<string, unknown>;
  kernel.onExecute(
    (request) => void request.begin().display(polluting).publish("taskweaver_artifact", polluting).reply(polluting, polluting).idle(),
  );
  try {
    expect((await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" })).statusCode).toBe(200);
  } finally {
    kernel.onExecute((request) => void request.succeed());
  }
});

function post(path: string, body: string) {
  return victim().call("POST", path, body, { headers: { "x-api-key": KEY, "content-type": "application/json" } });
}
