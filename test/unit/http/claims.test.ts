import { describe, expect, test } from "vitest";
import { kernelIdOf } from "../../../src/http/jupyter/kernel-id.ts";
import { openAppWithSession, openApp } from "../../helpers/test-app.ts";

describe("a claim", () => {
  test("is the first one's, until it is taken over from exactly that one", async () => {
    const { call } = await openApp();
    const claim = async (executor: string, replaces?: string) => (await call("PUT", "/claims/a", { executor, replaces })).json().executor;
    expect((await call("GET", "/claims/a")).json()).toEqual({ session_id: "a", executor: null, is_held: false });
    expect(await claim("one")).toBe("one");
    expect(await claim("two")).toBe("one");
    expect(await claim("two", "three")).toBe("one");
    expect(await claim("two", "one")).toBe("two");
    await call("DELETE", "/claims/a?executor=one");
    expect((await call("GET", "/claims/a")).json().executor).toBe("two");
    await call("DELETE", "/claims/a?executor=two");
    expect((await call("GET", "/claims/a")).json().executor).toBeNull();
  });

  test("of all sessions of executors is written down as it is told, whoever had it", async () => {
    const { call } = await openApp();
    await call("PUT", "/claims/a", { executor: "one" });
    expect((await call("POST", "/claims", { claims: [{ executor: "two", sessions: ["a", "b"] }] })).statusCode).toBe(200);
    for (const id of ["a", "b"]) expect((await call("GET", `/claims/${id}`)).json().executor).toBe("two");
  });

  test("is found by the id of the session's kernel, too; so is a session that is here", async () => {
    const { call } = await openAppWithSession();
    await call("PUT", "/claims/elsewhere", { executor: "one" });
    expect((await call("GET", `/claims/${kernelIdOf("elsewhere")}`)).json()).toMatchObject({ session_id: "elsewhere", executor: "one" });
    expect((await call("GET", `/claims/${kernelIdOf("s1")}`)).json()).toMatchObject({ session_id: "s1", is_held: true });
    expect((await call("GET", "/claims")).json()).toEqual({ executor: "this-start", sessions: ["s1"], draining: [] });
  });

  test("says where its executor is; those about to end are told to whoever asks, since nothing else may know them", async () => {
    const { call } = await openApp();
    const at = { origin: "http://10.0.0.7:8000", is_draining: false };
    await call("PUT", "/claims/a", { executor: "one", at });
    expect((await call("GET", "/claims/a")).json()).toEqual({ session_id: "a", executor: "one", at, is_held: false });
    expect((await call("GET", "/claims")).json().draining).toEqual([]);
    const ending = { ...at, is_draining: true };
    await call("POST", "/claims", { claims: [{ executor: "one", at: ending, sessions: ["a"] }] });
    expect((await call("GET", "/claims/a")).json().at).toEqual(ending);
    expect((await call("GET", "/claims")).json().draining).toEqual([{ executor: "one", at: ending }]);
    expect((await call("PUT", "/claims/b", { executor: "one", at: { origin: "http://user@host/path" } })).statusCode).toBe(422);
  });

  test("needs the key and an id that sessions can have", async () => {
    const { call } = await openApp();
    expect((await call("GET", "/claims/a", undefined, { headers: {}, remoteAddress: "10.0.0.9" })).statusCode).toBe(401);
    expect((await call("PUT", "/claims/.a", { executor: "one" })).statusCode).toBe(422);
  });
});

test("readiness says who the server is, what it has and how full it is; while it drains, for how long", async () => {
  const { call, store } = await openAppWithSession({ settings: { labels: ["gpu"] } });
  expect((await call("GET", "/ready")).json()).toMatchObject({
    status: "ready",
    instance: "this-start",
    labels: ["gpu"],
    kernels: 1,
    max_sessions: expect.any(Number),
    load: expect.any(Number),
    memory_available_bytes: expect.any(Number),
  });
  const emptied = store.emptied(60_000);
  const draining = await call("GET", "/ready");
  expect([draining.statusCode, draining.json()]).toMatchObject([503, { status: "draining", sessions: 1, drains_for: expect.any(Number) }]);
  const refused = await call("POST", "/sessions", { session_id: "new" });
  expect([refused.statusCode, refused.json().code]).toEqual([503, "shutting_down"]);
  expect((await call("GET", "/sessions/s1")).statusCode).toBe(200);
  await call("DELETE", "/sessions/s1");
  await emptied;
});
