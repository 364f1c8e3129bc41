/**
 * Memory bomb: a session's code allocates without end, by itself or through many children that are each small. Held to its limit the session is the only one
 * to lose anything: the machine does not swap, nobody else is killed, and the session is told that it was memory and which limit it was.
 */
import { expect, test } from "vitest";
import { expectGone, expectOthersUnharmed, groupsOf, needsControlGroups, startHeldServer } from "./held-server.ts";

needsControlGroups();

const MIB = 1024 * 1024;
const LIMITS = { sessionMemoryBytes: 512 * MIB };
const BOMB = "hog = []\nwhile True: hog.append(bytearray(16 << 20))";

test("a kernel that needs more than it may have is killed, told so, and replaced; others go on", async () => {
  const live = await startHeldServer(LIMITS);
  const { session, run, info } = live;
  const [attacker, other] = [await session(), await session()];
  await run(other, "kept = 1");
  const result = await run(attacker, BOMB);
  expect(result).toMatchObject({
    reason: "out_of_memory",
    is_success: false,
    state_kept: false,
    error:
      "The kernel was killed because the session needed more memory than it may have (512 MiB, session_memory); the session's variables are lost.",
  });
  await expectOthersUnharmed(live, other);
  expect((await run(attacker, "1 + 1")).output).toBe(2);
  expect((await info(attacker)).status).toBe("running");
});

test("the one who is killed is the one who takes most: a greedy child goes, its kernel and the variables stay", async () => {
  const { session, run } = await startHeldServer(LIMITS);
  const path = await session();
  await run(path, "kept = 1");
  const child = `import subprocess, sys\nsubprocess.run([sys.executable, "-c", """${BOMB}"""]).returncode`;
  const result = await run(path, child);
  expect(result).toMatchObject({ reason: "completed", state_kept: true, output: -9 });
  expect(result.log).toEqual([["warning", "Limits", expect.stringContaining("(512 MiB, session_memory)")]]);
  expect((await run(path, "kept")).output).toBe(1);
});

test("many small children count together", async () => {
  const { session, run } = await startHeldServer(LIMITS);
  const path = await session();
  const code = `
import os, signal, time
children = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        held = bytearray(os.urandom(1 << 20) * 64)
        time.sleep(60)
        os._exit(0)
    children.append(child)
    time.sleep(0.1)
dead = [os.waitpid(child, os.WNOHANG)[1] for child in children]
for child in children:
    try: os.kill(child, signal.SIGKILL)
    except OSError: pass
dead.count(9) > 0`;
  const result = await run(path, code);
  expect(result).toMatchObject({ reason: "completed", output: true });
  expect(result.log[0]?.[1]).toBe("Limits");
});

test.each(["fork", "spawn"] as const)(
  "kernels that are started by %s are held from their first moment, and nothing is left of them",
  async (kernelStart) => {
    const live = await startHeldServer({ ...LIMITS, kernelStart });
    const path = await live.session();
    const groups = await groupsOf(live);
    expect(groups.length).toBeGreaterThan(0);
    await live.run(path, "import subprocess\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)");
    await live.call("DELETE", path);
    await expectGone(groups);
  },
);

test("a limit that is too small for a kernel is told when one is to be started", async () => {
  const live = await startHeldServer({ sessionMemoryBytes: 8 * MIB, kernelStart: "spawn" });
  const answer = await live.call("POST", "/sessions", { session_id: "small" });
  expect([answer.status, answer.json["detail"]]).toEqual([
    500,
    "The kernel could not be started: it needs more memory than the session may have (8 MiB, session_memory).",
  ]);
});
