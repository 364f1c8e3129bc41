/** A kernel that was killed for memory is told from one that died of something else. */
import { describe, expect, test, vi } from "vitest";
import type { MemoryKills } from "../../../src/provision/limits/limits.ts";
import { outOfMemory, tellKilledChildren } from "../../../src/session/memory-shortage.ts";
import { hold, openSession, resultOf, run } from "../../helpers/fake-session.ts";

const GIB = 1024 ** 3;
const KILLED = { exitCode: null, signal: "SIGKILL" } as const;
const kills = (count: number, limitBytes: number | null = null): MemoryKills => ({ count, limitBytes });

describe("a kernel", () => {
  test.each([
    ["by SIGKILL", KILLED],
    ["seen by a program between", { exitCode: 137, signal: null }],
    ["of an earlier server, so that its end is not known", { exitCode: null, signal: null }],
  ])("that was killed %s while the count grew ran out of memory", (_, exit) => {
    expect(outOfMemory(exit, kills(3), kills(4, 2 * GIB))).toMatchObject({
      reason: "out_of_memory",
      stateKept: false,
      error: expect.stringContaining("(2 GiB, session_memory)"),
    });
    expect(outOfMemory(exit, kills(3), kills(4))?.error).toContain("memory ran out on the machine, or in its container");
  });

  test("that ended otherwise, or while nobody was killed for memory, did not", () => {
    expect(outOfMemory({ exitCode: 1, signal: null }, kills(0), kills(1))).toBeUndefined();
    expect(outOfMemory({ exitCode: null, signal: "SIGSEGV" }, kills(0), kills(1))).toBeUndefined();
    expect(outOfMemory(KILLED, kills(1), kills(1))).toBeUndefined();
    expect(outOfMemory(KILLED, undefined, undefined)).toBeUndefined();
  });

  test("of a session is told in the result; what it killed before does not count", async () => {
    const { session, kernels } = await openSession();
    const { process } = kernels.last;
    process.killsForMemory = kills(5, GIB);
    const held = hold(kernels);
    const running = run(session, "a");
    await held.next();
    process.killsForMemory = kills(6, GIB);
    process.die(KILLED);
    expect(await resultOf(running)).toMatchObject({ reason: "out_of_memory", state_kept: false, error: expect.stringContaining("1 GiB") });
  });
});

describe("a killed child", () => {
  test.each([
    ["is told where the session has a limit of its own", kills(1, GIB), 1],
    ["may be anybody's where it has none", kills(1), 0],
    ["is told once", kills(0, GIB), 0],
  ])("%s", (_, after, times) => {
    const addLog = vi.fn();
    tellKilledChildren({ addLog }, kills(0), after);
    expect(addLog).toHaveBeenCalledTimes(times);
  });
});
