/** Ways out of a walled kernel that lead past files: what all processes of a user share, what the kernel inherited, who started it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ExecutionSession } from "../../src/client/index.ts";
import { PYTHON_ROOT } from "../../src/paths.ts";
import { openRuntimeDirectory } from "../../src/provision/runtime-directory.ts";
import { askMachine, type SandboxLevel } from "../../src/provision/sandbox/sandbox.ts";
import { testPython } from "../helpers/python.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const ability = await askMachine(testPython());
const settings = { sandbox: "required", apiKey: "the-servers-key", kernelStart: "fork", kernelPool: 1 } as const;

function canRaise(level: SandboxLevel): boolean {
  return level === "namespaces" ? ability.level === "namespaces" : ability.landlock >= 6;
}

describe.each(["namespaces", "landlock"] as const)("code behind a wall of %s", (level) => {
  const test = it.skipIf(!canRaise(level));
  let server: TestServer;
  let session: ExecutionSession;

  beforeAll(async () => {
    if (!canRaise(level)) return;
    server = await startTestServer(settings, { sandboxAbility: async () => ({ ...ability, level }) });
    session = await server.client.start("inside");
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  /** Runs lines that append to `gained` what should not be had. */
  const gained = async (code: string): Promise<unknown> => {
    const result = await session.executeCode(`${PRELUDE}\n${code}\ngained`);
    expect(result.error).toBeNull();
    return result.output;
  };

  test("changes no limits and no priority of other processes, and looks into none", async () => {
    const code = `
for pid in (${process.pid}, ${process.ppid}):
    attempt("limits", lambda: resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0)))
    # What it is already: where nothing keeps the code from it, the tests go on.
    attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid)))
    attempt("scheduler", lambda: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)))
    attempt("disk priority", lambda: call("ioprio_set", 1, pid, 2 << 13))
    attempt("trace", lambda: call("ptrace", 0x4206, pid, 0, 0))
    attempt("memory", lambda: call("process_vm_readv", pid, None, 0, None, 0, 0) if open(f"/proc/{pid}/maps").read() else 0)
    attempt("descriptor", lambda: call("pidfd_getfd", os.pidfd_open(pid), 1, 0))
    attempt("signal", lambda: os.kill(pid, 0))
`;
    expect(await gained(code)).toEqual([]);
    expect(await gained("resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.setpriority(os.PRIO_PROCESS, 0, os.nice(1))")).toEqual([]);
  });

  test("reads what the system says of its own process, and of no other", async () => {
    const code = `
for name in ("cmdline", "comm", "limits", "maps", "stat", "statm", "status"):
    with open(f"/proc/self/{name}") as own: own.read()
for pid in (1, ${process.pid}):
    attempt(f"{pid}", lambda: open(f"/proc/{pid}/environ").read())
attempt("server", lambda: open("/proc/${process.pid}/status").read())
for name in ("root/etc/shadow", "cwd/../ces/session.json"): attempt(name, lambda: open("/proc/self/" + name).read())
`;
    expect(await gained(code)).toEqual([]);
  });

  test("hears of no names in folders that it cannot list, where other kernels' sockets lie", async () => {
    const runtime = await realpath(await openRuntimeDirectory());
    const code = `
watch, heard = -1, b""
try:
    watch = call("inotify_init1", 0x800)
    # What is created there.
    for path in (${JSON.stringify(runtime)}, ${JSON.stringify(join(server.workDir, "sessions"))}): call("inotify_add_watch", watch, path.encode(), 0x100)
except OSError: pass`;
    await gained(code);
    await server.client.start(`named-${level}`);
    expect(await gained(`if watch >= 0: attempt("names", lambda: os.read(watch, 4096))`)).toEqual([]);
  });

  test("has none of the user's keys, shared memory and message queues", async () => {
    const outside = await startOutside(SHARED_SEGMENT);
    try {
      const code = `
attempt("keyring", lambda: call("keyctl", 0, -4, 1))
attempt("session's keyring", lambda: call("keyctl", 0, -3, 0))
attempt("key", lambda: call("add_key", b"user", b"taskweaver-test", b"x", 1, -3))
attempt("shared memory", lambda: call("shmat", ${outside.word}, None, 0o10000))
`;
      expect(await gained(code)).toEqual([]);
    } finally {
      await outside.close();
    }
  });

  test("reaches no socket that the user's programs have by name, and has sockets of its own", async () => {
    const outside = await startOutside(LISTENER);
    try {
      const code = `
def connect(name):
    with socket.socket(socket.AF_UNIX) as to: to.connect(name)
attempt("abstract", lambda: connect("\\0${outside.word}"))
with socket.socket(socket.AF_UNIX) as own:
    own.bind("\\0own-${outside.word}"); own.listen(); connect("\\0own-${outside.word}")
`;
      expect(await gained(code)).toEqual([]);
    } finally {
      await outside.close();
    }
  });

  test("opens no terminal of the user's", async () => {
    const outside = await startOutside(TERMINAL);
    try {
      const code = `
for path in (${JSON.stringify(outside.word)}, "/dev/tty", "/dev/console", "/dev/tty0"):
    attempt(path, lambda: os.open(path, os.O_RDWR | os.O_NOCTTY))
`;
      expect(await gained(code)).toEqual([]);
    } finally {
      await outside.close();
    }
  });

  test("has no rights beyond a user's, and gains none by a program", async () => {
    const code = `
for name, device in (("memory", os.makedev(1, 1)), ("disk", os.makedev(8, 0))):
    attempt(name, lambda: os.mknod(f"device-{name}", 0o20600, device))
attempt("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None))
attempt("root", lambda: os.chroot("."))
attempt("host name", lambda: socket.sethostname("taskweaver-test"))
attempt("modules", lambda: call("init_module", b"", 0, b""))
libc.prctl.restype = ctypes.c_int
if libc.prctl(39, 0, 0, 0, 0) != 1: gained.append("programs may gain rights")
import subprocess
child = subprocess.run([sys.executable, "-c", "import os; os.mknod('device', 0o20600, os.makedev(1, 1))"], capture_output=True)
if child.returncode == 0: gained.append("by a program")
`;
    expect(await gained(code)).toEqual([]);
  });

  test("inherits nothing that leads out: neither folders nor the fork server's channel", async () => {
    const code = `
import stat
for number in range(3, 1024):
    try: mode = os.fstat(number).st_mode
    except OSError: continue
    if stat.S_ISDIR(mode) or stat.S_ISBLK(mode) or stat.S_ISCHR(mode): gained.append(["file", number, oct(mode)])
    if not stat.S_ISSOCK(mode): continue
    with socket.socket(fileno=os.dup(number)) as inherited:
        try: peer = struct.unpack("iii", inherited.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        except OSError: continue
        if inherited.getsockname() in ("", b"") and peer not in (os.getpid(), 0): gained.append(["socket", number, peer])
        if inherited.getsockname() in ("", b"") and inherited.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM and peer == 0: gained.append(["socket", number])
`;
    expect(await gained(code)).toEqual([]);
  });

  test("leaves nothing behind in Python, in the server's program or in the next kernel's folders", async () => {
    const code = `
import sysconfig
folders = [sysconfig.get_path("purelib"), sys.prefix, sys.base_prefix, ${JSON.stringify(PYTHON_ROOT)}, os.path.dirname(os.__file__)]
for folder in folders:
    for name in ("taskweaver_test.pth", "sitecustomize.py", "usercustomize.py", "pyvenv.cfg"):
        attempt(folder + "/" + name, lambda: os.close(os.open(folder + "/" + name, os.O_CREAT | os.O_WRONLY)))
attempt("folder", lambda: os.rename(${JSON.stringify(PYTHON_ROOT)}, ${JSON.stringify(`${PYTHON_ROOT}-moved`)}))
attempt("python", lambda: os.open(os.path.realpath(sys.executable), os.O_WRONLY))
`;
    expect(await gained(code)).toEqual([]);
  });
});

const PRELUDE = `
import ctypes, os, resource, socket, struct, sys
libc, gained = ctypes.CDLL(None, use_errno=True), []
numbers = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
CALLS = {"add_key": (248, 217), "keyctl": (250, 219), "shmat": (30, 196), "ioprio_set": (251, 30), "ptrace": (101, 117), "mount": (165, 40),
    "process_vm_readv": (310, 270), "pidfd_getfd": (438, 438), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "init_module": (175, 105)}
libc.syscall.restype = ctypes.c_long
def call(name, *arguments):
    arguments = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = libc.syscall(ctypes.c_long(CALLS[name][numbers]), *arguments)
    if result == -1: raise OSError(ctypes.get_errno(), name)
    return result
def attempt(name, work):
    try: work()
    except OSError: return
    gained.append(name)
`;

/** A program of the user's, outside of any wall; `word` is the line that it says. */
async function startOutside(code: string): Promise<{ word: string; close(): Promise<void> }> {
  const child: ChildProcess = spawn(testPython(), ["-c", code], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const [word] = (await once(lines, "line")) as [string];
  return {
    word,
    async close() {
      child.stdin?.end();
      await exited;
    },
  };
}

const SHARED_SEGMENT = `
import ctypes, sys
libc = ctypes.CDLL(None)
segment = libc.shmget(0, 4096, 0o1600)
print(segment, flush=True)
sys.stdin.read()
libc.shmctl(segment, 0, None)
`;

const LISTENER = `
import os, socket, sys
name = f"taskweaver-test-{os.getpid()}"
with socket.socket(socket.AF_UNIX) as stranger:
    stranger.bind("\\0" + name); stranger.listen()
    print(name, flush=True)
    sys.stdin.read()
`;

const TERMINAL = `
import os, sys
leader, follower = os.openpty()
print(os.ttyname(follower), flush=True)
sys.stdin.read()
`;
