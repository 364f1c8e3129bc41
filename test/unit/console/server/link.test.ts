/** The way to the server: noticed when it breaks and when it is back, and a key that is asked for, kept and forgotten. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerLink, type KeyStore } from "../../../../console/server/link.ts";

type Answer = (url: string, init: RequestInit) => Response;

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });
const health = (): Response => json({ status: "healthy", version: "1", active_sessions: 0 });

describe("the link", () => {
  let answer: Answer;
  let keys: Map<string, string>;
  let link: ServerLink;

  const keyStore = (): KeyStore => ({
    getItem: (name) => keys.get(name) ?? null,
    setItem: (name, value) => void keys.set(name, value),
    removeItem: (name) => void keys.delete(name),
  });

  beforeEach(() => {
    vi.useFakeTimers();
    answer = health;
    keys = new Map();
    vi.stubGlobal("addEventListener", () => undefined);
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => answer(url, init));
    link = new ServerLink("http://localhost:8000/", keyStore());
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("is offline from the first request that gets no answer, and online again with the first that does", async () => {
    answer = () => {
      throw new TypeError("Failed to fetch");
    };
    const asked = link.client.listSessions().catch(() => undefined);
    await vi.advanceTimersByTimeAsync(2_000);
    await asked;
    expect(link.isOnline.value).toBe(false);
    expect(link.returns.value).toBe(0);
    answer = health;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(link.isOnline.value).toBe(true);
    expect(link.returns.value).toBe(1);
  });

  it("counts a proxy that answers for a silent server as no answer", async () => {
    answer = () => new Response("bad gateway", { status: 502 });
    const asked = link.client.listSessions().catch(() => undefined);
    await vi.advanceTimersByTimeAsync(2_000);
    await asked;
    expect(link.isOnline.value).toBe(false);
  });

  it("stays online where a wait is ended on purpose", async () => {
    const ending = new AbortController();
    answer = () => {
      ending.abort();
      throw new DOMException("aborted", "AbortError");
    };
    await link.client.listSessions({ signal: ending.signal }).catch(() => undefined);
    expect(link.isOnline.value).toBe(true);
  });

  it("asks for a key where one is missing, keeps a right one, refuses a wrong one, and forgets", async () => {
    answer = (_url, init) =>
      new Headers(init.headers).get("x-api-key") === "right" ? json({ sessions: [] }) : json({ detail: "no", code: "unauthorized" }, 401);
    await link.client.listSessions().catch(() => undefined);
    expect(link.keyQuestion.value).toBe("missing");
    expect(await link.tryKey("wrong")).toBe(false);
    expect([link.keyQuestion.value, link.hasKey.value, keys.size]).toEqual(["missing", false, 0]);
    expect(await link.tryKey("right")).toBe(true);
    expect([link.keyQuestion.value, link.hasKey.value, link.returns.value]).toEqual([null, true, 1]);
    expect(await link.client.listSessions()).toEqual([]);
    link.forgetKey();
    expect([link.hasKey.value, keys.size]).toEqual([false, 0]);
    await link.client.listSessions().catch(() => undefined);
    expect(link.keyQuestion.value).toBe("missing");
  });

  it("says that a kept key is wrong where the server does not take it any more", async () => {
    keys.set("taskweaver.key", "old");
    answer = () => json({ detail: "no", code: "unauthorized" }, 401);
    link = new ServerLink("http://localhost:8000/", keyStore());
    await link.client.listSessions().catch(() => undefined);
    expect(link.keyQuestion.value).toBe("wrong");
  });
});
