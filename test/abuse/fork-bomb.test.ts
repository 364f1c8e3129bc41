/**
 * Fork bomb: a session's code starts processes until the machine has no room for any, and each of them goes on. Held to its limit the session alone runs out:
 * its forks fail, others' do not, and when its kernel ends, all of them end, also those that have left its process group.
 */
import { expect, test, vi } from "vitest";
import { expectGone, expectOthersUnharmed, groupsOf, needsControlGroups, processesIn, startHeldServer } from "./held-server.ts";

needsControlGroups();

const LIMITS = { sessionProcesses: 60, interruptGraceMs: 500 };
const BEGINNING = "import os, signal, time\nprint('begun', flush=True)\n";
const POLITE = "while True:\n    os.fork()";
/** Ignores what could be ignored, and leaves the process group. */
const STUBBORN = `
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError:
        time.sleep(0.01)`;

test("a session that may start no more is told so by the system, and goes on", async () => {
  const live = await startHeldServer(LIMITS);
  const [attacker, other] = [await live.session(), await live.session()];
  await live.run(other, "kept = 1");
  const result = await live.run(attacker, BEGINNING + POLITE);
  expect(result).toMatchObject({ reason: "error", state_kept: true, error: expect.stringContaining("BlockingIOError") });
  await expectOthersUnharmed(live, other);
});

test("a bomb that heeds nothing ends with its kernel, in its time; meanwhile the server answers, others can start processes", async () => {
  const live = await startHeldServer(LIMITS);
  const [attacker, other] = [await live.session(), await live.session()];
  await live.run(other, "import subprocess\nkept = 1");
  const bomb = live.run(attacker, BEGINNING + STUBBORN, { timeout: 3 });
  await expectOthersUnharmed(live, other);
  expect((await live.run(other, "subprocess.run(['true']).returncode")).output).toBe(0);
  expect(await bomb).toMatchObject({ reason: "timed_out", state_kept: false });
  expect((await live.run(attacker, "1 + 1")).output).toBe(2);
  // What the bomb started is killed with its kernel; the fresh one does not wait until the last of it is gone.
  const kernels = await Promise.all([attacker, other].map((session) => live.run(session, "import os\nos.getpid()")));
  const expected = kernels.map(({ output }) => output as number).toSorted((one, other) => one - other);
  await vi.waitFor(async () => expect(await processesIn(live)).toEqual(expected), { timeout: 20_000 });
  const groups = await groupsOf(live);
  await live.call("DELETE", attacker);
  await live.call("DELETE", other);
  await expectGone(groups);
});

test("a limit that is too small for a kernel is told when one is to be started", async () => {
  const live = await startHeldServer({ sessionProcesses: 3, kernelStart: "spawn" });
  const answer = await live.call("POST", "/sessions", { session_id: "small" });
  expect([answer.status, answer.json["detail"]]).toEqual([500, expect.stringContaining("can't start new thread")]);
});
