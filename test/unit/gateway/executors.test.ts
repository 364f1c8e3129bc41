/** Which executors a gateway counts: found, the same by two addresses, moved, replaced, slow, lost; over calls that no network carries. */
import pino from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Readiness } from "../../../src/api/index.ts";
import type { ExecutorAddress } from "../../../src/gateway/addresses.ts";
import { ExecutorFault } from "../../../src/gateway/executor-calls.ts";
import { Executors } from "../../../src/gateway/executors.ts";
import { SessionFinder } from "../../../src/gateway/session-finder.ts";

interface Fake {
  instance?: string | undefined;
  /** Of this server that answers as something else. */
  over?: Record<string, unknown>;
  answers: "well" | "refuses" | "slowly" | "silently" | "no-key";
}

test("one that is found by two addresses is one, by whichever it was first", async () => {
  const { executors, why } = await start({ "http://127.0.0.1:1": well("a"), "http://[::1]:1": well("a"), "http://127.0.0.1:2": well("b") });
  expect(executors.all().map(({ instance }) => instance)).toEqual(["a", "b"]);
  expect(why("http://[::1]:1")).toEqual(["it is the executor at http://127.0.0.1:1, by another address"]);
});

test("one that moves to another address is lost at the old one and there at the new", async () => {
  const world = await start({ "http://old:1": well("a") });
  const [old] = world.executors.all();
  world.fakes["http://old:1"]!.answers = "refuses";
  world.executors.suspect(old!);
  world.fakes["http://new:1"] = well("a");
  await world.executors.refresh();
  expect(old!.state).toBe("lost");
  expect(world.executors.all().map(({ address, state }) => [address.origin, state])).toEqual([["http://new:1", "ready"]]);
  expect(world.executors.get("a")).toBe(world.executors.all()[0]);
});

test("another start of the server at the same address is another executor, and the sessions of the first are lost with it", async () => {
  const world = await start({ "http://one:1": well("first") });
  const [first] = world.executors.all();
  world.fakes["http://one:1"]!.instance = "second";
  await world.executors.update(first!);
  expect(first!.lost.aborted).toBe(true);
  expect(world.executors.all().map(({ instance }) => instance)).toEqual(["second"]);
  expect(world.executors.get("first")).toBe(first);
});

test("one that refuses connections is lost after its time, one that only is slow after ten times as long", async () => {
  const world = await start({ "http://gone:1": well("gone"), "http://slow:1": well("slow") }, { lostAfterMs: 100 });
  const [gone, slow] = world.executors.all();
  world.fakes["http://gone:1"]!.answers = "refuses";
  world.fakes["http://slow:1"]!.answers = "slowly";
  world.executors.suspect(gone!);
  world.executors.suspect(slow!);
  expect(await gone!.decided()).toBe("lost");
  expect(slow!.state).toBe("away");
  world.fakes["http://slow:1"]!.answers = "well";
  expect(await slow!.decided()).toBe("reachable");
});

test("one whose machine is silent is lost in its time, though a question to it is still under way", async () => {
  const world = await start({ "http://silent:1": well("a") }, { lostAfterMs: 100.5 });
  const [silent] = world.executors.all();
  world.fakes["http://silent:1"]!.answers = "silently";
  world.executors.suspect(silent!);
  expect(await silent!.decided()).toBe("lost");
  expect(world.waiting()).toBe(1);
});

test("what one that does not answer at first sight holds is not lost: a gateway that starts waits until it knows", async () => {
  const fakes = () => ({ "http://quick:1": well("quick"), "http://late:1": { ...well("late"), answers: "slowly" as const } });
  const world = await start(fakes(), { lostAfterMs: 60_000 });
  expect(world.executors.all().map(({ instance }) => instance)).toEqual(["quick"]);
  const refused = vi.fn();
  const finding = finderIn(world.executors, "late").find("s");
  finding.catch(refused);
  const asked = world.count("http://late:1");
  await vi.waitFor(() => expect(world.count("http://late:1")).toBeGreaterThan(asked + 1), 5_000);
  expect(refused).not.toHaveBeenCalled();
  world.fakes["http://late:1"]!.answers = "well";
  expect((await finding).executor.instance).toBe("late");
  // One that never answers is lost all the same.
  const other = await start(fakes(), { lostAfterMs: 50 });
  await expect(finderIn(other.executors, "late").find("s")).rejects.toMatchObject({ code: "executor_lost" });
});

test("those that leave the list stay as long as they answer, and new ones are asked at once", async () => {
  const world = await start({ "http://one:1": well("a"), "http://two:1": well("b") });
  world.listed.only = ["http://two:1", "http://three:1"];
  world.fakes["http://three:1"] = well("c");
  await world.executors.refresh();
  expect(world.executors.all().map(({ instance }) => instance)).toEqual(["a", "b", "c"]);
  const [one] = world.executors.all();
  world.fakes["http://one:1"]!.answers = "refuses";
  world.executors.suspect(one!);
  expect(await one!.decided()).toBe("lost");
  expect(world.executors.all().map(({ instance }) => instance)).toEqual(["b", "c"]);
});

test("what is no executor is told of once, with the reason, and counted when it becomes one", async () => {
  const world = await start({
    "http://gateway:1": { answers: "well", instance: undefined, over: { executors: 3 } },
    "http://older:1": { answers: "well", instance: undefined },
    "http://key:1": { answers: "no-key", instance: "k" },
    "http://later:1": { answers: "refuses", instance: "later" },
    "http://slow:1": { answers: "slowly", instance: "slow" },
  });
  expect(world.executors.all()).toEqual([]);
  expect(world.why("http://gateway:1")).toEqual(["it is a gateway, which has no sessions of its own"]);
  expect(world.why("http://older:1")).toEqual(["it is a server of a version that knows no gateway: update it"]);
  expect(world.why("http://key:1")).toEqual(["it refuses the gateway's key: executor_key must be its api_key"]);
  expect(world.why("http://later:1")).toEqual(["it cannot be reached (ECONNREFUSED)"]);
  expect(world.why("http://slow:1")).toEqual(["it does not answer in time"]);
  const asked = world.count("http://later:1");
  await vi.waitFor(() => expect(world.count("http://later:1")).toBeGreaterThan(asked + 2), 5_000);
  expect(world.why("http://later:1")).toHaveLength(1);
  world.fakes["http://later:1"]!.answers = "well";
  world.fakes["http://slow:1"]!.answers = "well";
  await vi.waitFor(() => expect(world.executors.all().map(({ instance }) => instance)).toEqual(["later", "slow"]), 5_000);
});

test("of many, those that are in use are asked as often as of few", async () => {
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`http://many-${index}:1`, well(`i-${index}`)]));
  const world = await start(many, { pollMs: 20 });
  const [used, idle] = world.executors.all();
  const end = used!.begin();
  await vi.waitFor(() => expect(world.count("http://many-0:1")).toBeGreaterThan(4), 5_000);
  // A thousand are asked within five seconds, however short the time between two questions may be.
  expect(world.count("http://many-1:1")).toBeLessThanOrEqual(2);
  expect([used!.isInUse, idle!.isInUse]).toEqual([true, false]);
  end();
  end();
  expect(used!.isInUse).toBe(false);
});

/** Every home says that an executor has the session. */
function finderIn(executors: Executors, executor: string): SessionFinder {
  const claim = async (_address: ExecutorAddress, id: string) => ({ session_id: id, executor, is_held: false });
  const calls = { claimOf: claim, dropClaim: claim, tellClaims: async () => undefined };
  return new SessionFinder({ executors, calls, homeKeyOf: (id) => id });
}

function well(instance: string): Fake {
  return { instance, answers: "well" };
}

async function start(fakes: Record<string, Fake>, { lostAfterMs = 200, pollMs = 20 } = {}) {
  const lines: Record<string, unknown>[] = [];
  const counts = new Map<string, number>();
  const listed: { only?: string[] } = {};
  const silences = new Map<string, number>();
  /** The first question is given up, the next waits until the end of the test. */
  const beSilent = (origin: string): Promise<void> | undefined => {
    const count = (silences.get(origin) ?? 0) + 1;
    silences.set(origin, count);
    return count === 1 ? undefined : new Promise(() => undefined);
  };
  const reach = ({ origin }: ExecutorAddress): Fake => {
    const fake = fakes[origin];
    if (fake === undefined || fake.answers === "refuses") throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    if (fake.answers === "slowly" || fake.answers === "silently")
      throw new DOMException("The operation was aborted due to timeout", "TimeoutError");
    return fake;
  };
  const executors = new Executors({
    find: async () => (listed.only ?? Object.keys(fakes)).map((origin) => ({ origin })),
    calls: {
      readiness: async (address) => {
        counts.set(address.origin, (counts.get(address.origin) ?? 0) + 1);
        if (fakes[address.origin]?.answers === "silently") await beSilent(address.origin);
        const { instance, over } = reach(address);
        const figures = { status: "ready", sessions: 0, executions: 0, ...(instance === undefined ? {} : { instance }), ...over };
        return figures as Readiness;
      },
      check: async (address) => {
        if (reach(address).answers === "no-key") throw new ExecutorFault(address, 401, "");
      },
      connects: async ({ origin }) => fakes[origin]?.answers === "slowly",
    },
    lostAfterMs,
    logger: pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
    intervals: { pollMs, pollAwayMs: 10, findMs: 3_600_000 },
  });
  onTestFinished(() => executors.close());
  await executors.start();
  return {
    executors,
    fakes,
    listed,
    why: (origin: string) =>
      lines.flatMap(({ executor, why, msg }) => (executor === origin && msg === "an address is no executor" ? [why] : [])),
    count: (origin: string) => counts.get(origin) ?? 0,
    /** Questions that wait for their answer. */
    waiting: () => [...silences.values()].reduce((sum, count) => sum + count - 1, 0),
  };
}
