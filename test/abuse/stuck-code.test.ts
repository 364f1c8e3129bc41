/**
 * Code that does not end, in every way that code can be stuck: it would hold its session for good. Each ends within its time and a grace period, says how it
 * ended and whether the variables survived, and what waits behind it runs.
 */
import { expect, test } from "vitest";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const live = sharedByAll(() => startLiveServer({ interruptGraceMs: 3_000 }));

const THREAD =
  "import threading, time\nthread = threading.Thread(target=time.sleep, args=(600,), daemon=True)\nthread.start()\nthread.join()";
const SUBPROCESS = "import subprocess\nsubprocess.run(['sleep', '600'])";
/** A lock that is taken twice: the thread waits in the system and holds the interpreter's lock; no signal gets it out. */
const IN_C = "import ctypes\nlock = ctypes.create_string_buffer(64)\nfor _ in range(2): ctypes.PyDLL(None).pthread_mutex_lock(lock)";
const IGNORED = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)";
const SWALLOWED = "import time\nwhile True:\n    try: time.sleep(600)\n    except BaseException: pass";

test.each([
  ["an await", "import asyncio\nawait asyncio.sleep(600)", true],
  ["a regular expression that backtracks", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')", true],
  ["a child process", SUBPROCESS, true],
  ["a thread that is waited for", THREAD, true],
  ["a loop in C that looks at no signals", "sum(range(10**11))", false],
  ["a call into C that holds the interpreter's lock", IN_C, false],
  ["SIGINT that is ignored", IGNORED, false],
  ["KeyboardInterrupt that is swallowed", SWALLOWED, false],
])("%s ends in its time, and what waits behind it runs", async (_, code, isKept) => {
  const { session, run } = live();
  const path = await session();
  await run(path, "kept = 1");
  const began = Date.now();
  const stuck = run(path, code, { timeout: 1 });
  const behind = run(path, "'kept' in globals()");
  const result = await stuck;
  expect(result).toMatchObject({ reason: "timed_out", is_success: false, state_kept: isKept });
  expect(result.error).toMatch(/^The execution timed out after 1 s/);
  expect(await behind).toMatchObject({ reason: "completed", output: isKept, state_kept: true });
  // The time, the grace period, and what a busy machine takes for a fresh kernel.
  expect(Date.now() - began).toBeLessThan(60_000);
});
