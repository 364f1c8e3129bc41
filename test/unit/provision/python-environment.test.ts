/** Which Python the kernels get, with fake interpreters. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { preparePython } from "../../../src/provision/python-environment.ts";
import { installFakePython } from "./python-fakes.ts";

let root: string;
let environment: NodeJS.ProcessEnv;
let progress: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-python-"));
  await writeFile(join(root, "requirements.txt"), "ipykernel==7.4.0\n");
  environment = {
    PATH: `${join(root, "path")}:/usr/bin:/bin`,
    XDG_CACHE_HOME: join(root, "cache"),
    HOME: root,
    FAKE_CALLS: join(root, "calls"),
  };
  // Nothing of the machine's own Pythons is found.
  for (const name of ["python3", "python", ...[10, 11, 12, 13, 14].map((minor) => `python3.${minor}`)]) {
    await mkdir(join(root, "path"), { recursive: true });
    await writeFile(join(root, "path", name), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  }
  progress = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

function prepare(extra: NodeJS.ProcessEnv = {}, python = "") {
  return preparePython({
    python,
    environment: { ...environment, ...extra },
    requirementsFile: join(root, "requirements.txt"),
    onProgress: (line) => progress.push(line),
  });
}

async function calls(): Promise<string[]> {
  const text = await readFile(join(root, "calls"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

const onPath = () => installFakePython(join(root, "path/python3"));

describe("a Python that the user names", () => {
  it("is taken where it has ipykernel, whatever else is there", async () => {
    await onPath();
    const named = await installFakePython(join(root, "mine/bin/python"));
    const python = await prepare({ FAKE_IPYKERNEL: "6.29.5" }, named);
    expect(python).toMatchObject({ source: "named", interpreter: named, prefix: join(root, "mine"), version: [3, 11, 7] });
    expect(progress).toEqual([]);
  });

  it("may be the folder of a virtual environment", async () => {
    const interpreter = await installFakePython(join(root, "venv/bin/python"));
    expect((await prepare({ FAKE_IPYKERNEL: "7.0.0" }, join(root, "venv"))).interpreter).toBe(interpreter);
  });

  it("may be a name on PATH", async () => {
    await installFakePython(join(root, "path/python3.12"));
    expect((await prepare({ FAKE_IPYKERNEL: "7.0.0" }, "python3.12")).interpreter).toBe(join(root, "path/python3.12"));
  });

  it.each([
    ["has no ipykernel", {}, /has no ipykernel\. Install it: ".*python" -m pip install/],
    [
      "has an old ipykernel",
      { FAKE_IPYKERNEL: "5.1.2" },
      /has ipykernel 5\.1\.2, which is too old; kernels need 6\.17 or newer: .* -m pip install --upgrade/,
    ],
    ["has an ipykernel that is a little too old", { FAKE_IPYKERNEL: "6.9.2" }, /has ipykernel 6\.9\.2, which is too old/],
    ["is too old", { FAKE_VERSION: "3, 8, 20", FAKE_IPYKERNEL: "6.0" }, /is Python 3\.8\.20; kernels need 3\.10 or newer/],
    ["is Python 2", { FAKE_VERSION: "2, 7, 18" }, /is Python 2\.7\.18/],
    ["is broken", { FAKE_CHECK: "fails" }, /does not work: ImportError: libpython3\.so/],
    ["is something else", { FAKE_CHECK: "nonsense" }, /is no Python: it answered "hello"/],
  ])("is refused by one sentence where it %s", async (_, extra, sentence) => {
    const named = await installFakePython(join(root, "mine/bin/python"));
    await expect(prepare(extra, named)).rejects.toThrow(UsageError);
    await expect(prepare(extra, named)).rejects.toThrow(sentence);
  });

  it("is refused by one sentence where it does not exist or cannot be run", async () => {
    await expect(prepare({}, join(root, "absent"))).rejects.toThrow(/^There is no Python at ".*absent"/);
    await expect(prepare({}, "no-such-name")).rejects.toThrow(/^There is no Python at "no-such-name"/);
    await writeFile(join(root, "text"), "");
    await expect(prepare({}, join(root, "text"))).rejects.toThrow(/text is not executable/);
  });

  it("may chatter before it answers", async () => {
    const named = await installFakePython(join(root, "mine/bin/python"));
    expect((await prepare({ FAKE_IPYKERNEL: "7.0.0", FAKE_CHECK: "chatters" }, named)).version).toEqual([3, 11, 7]);
  });
});

describe("a Python that is there", () => {
  it.each(["VIRTUAL_ENV", "CONDA_PREFIX"])("is the one of %s before the one on PATH", async (name) => {
    await onPath();
    const active = await installFakePython(join(root, "active/bin/python"));
    const python = await prepare({ [name]: join(root, "active"), FAKE_IPYKERNEL: "7.0.0" });
    expect(python).toMatchObject({ source: "active", interpreter: active });
  });

  it("is the one on PATH where no environment is active", async () => {
    const interpreter = await onPath();
    expect(await prepare({ FAKE_IPYKERNEL: "7.0.0" })).toMatchObject({ source: "path", interpreter });
    expect(progress).toEqual([]);
  });

  it("is called by the path it was found at, not by where its symbolic link leads", async () => {
    const target = await installFakePython(join(root, "real/bin/python"));
    await mkdir(join(root, "venv/bin"), { recursive: true });
    await symlink(target, join(root, "venv/bin/python"));
    const python = await prepare({ VIRTUAL_ENV: join(root, "venv"), FAKE_IPYKERNEL: "7.0.0" });
    expect(python.interpreter).toBe(join(root, "venv/bin/python"));
  });
});

describe("what an interpreter said", () => {
  it("is asked once, until its packages change", async () => {
    await onPath();
    await mkdir(join(root, "lib/site-packages"), { recursive: true });
    await prepare({ FAKE_IPYKERNEL: "7.0.0" });
    await prepare({ FAKE_IPYKERNEL: "7.0.0" });
    expect(await calls()).toHaveLength(1);
    await utimes(join(root, "lib/site-packages"), new Date(), new Date(Date.now() + 5000));
    expect((await prepare({ FAKE_IPYKERNEL: "7.1.0" })).packages.ipykernel).toBe("7.1.0");
    expect(await calls()).toHaveLength(2);
  });

  it("is asked again where another module path is in force", async () => {
    await onPath();
    await prepare({ FAKE_IPYKERNEL: "7.0.0" });
    await prepare({ FAKE_IPYKERNEL: "7.0.0", PYTHONPATH: "/elsewhere" });
    expect(await calls()).toHaveLength(2);
  });

  it("is asked each time where the cache cannot be written", async () => {
    await onPath();
    await writeFile(join(root, "cache"), "in the way");
    expect((await prepare({ FAKE_IPYKERNEL: "7.0.0" })).source).toBe("path");
  });
});

describe("the managed environment", () => {
  it("is made where no Python has ipykernel, and told line by line", async () => {
    await onPath();
    const python = await prepare();
    expect(python).toMatchObject({ source: "managed", isVirtual: true, packages: { ipykernel: "7.4.0" } });
    expect(python.prefix).toMatch(new RegExp(`^${join(root, "cache/taskweaver")}/python-3\\.11-[0-9a-f]{12}$`));
    expect(progress[0]).toContain(python.prefix);
    expect(progress).toContain("Collecting ipykernel");
    expect((await stat(join(root, "cache/taskweaver"))).mode & 0o777).toBe(0o700);
  });

  it("is made once", async () => {
    await onPath();
    const first = await prepare();
    const before = await calls();
    progress = [];
    expect(await prepare()).toEqual(first);
    expect(progress).toEqual([]);
    expect(await calls()).toEqual(before);
  });

  it("is another one for other requirements", async () => {
    await onPath();
    const first = await prepare();
    await writeFile(join(root, "requirements.txt"), "ipykernel==7.4.1\n");
    expect((await prepare()).prefix).not.toBe(first.prefix);
  });

  it("is made from a newer Python where python3 is too old", async () => {
    await writeFile(join(root, "path/python3"), '#!/bin/sh\necho \'{"version": [3, 8, 1], "prefix": "/", "watched": []}\'\n', {
      mode: 0o755,
    });
    await installFakePython(join(root, "path/python3.12"));
    const python = await prepare({ FAKE_VERSION: "3, 12, 4" });
    expect(python.prefix).toMatch(/python-3\.12-/);
  });

  it("is made by one of two that want it at once", async () => {
    await onPath();
    const [one, other] = await Promise.all([prepare({ FAKE_PIP: "slow" }), prepare({ FAKE_PIP: "slow" })]);
    expect(one).toEqual(other);
    expect((await calls()).filter((call) => call.includes("-m pip"))).toHaveLength(1);
    expect(progress).toContain("Waiting for another process that is making the Python environment");
  });

  it("is made anew where a process died while making it, with its lock", async () => {
    await onPath();
    const first = await prepare();
    await rm(join(first.prefix, ".complete"));
    await rm(join(first.prefix, "lib/site-packages/ipykernel"));
    await writeFile(`${first.prefix}.lock`, JSON.stringify({ id: "x", pid: 2 ** 22 + 1, host: hostname() }));
    expect((await prepare()).packages.ipykernel).toBe("7.4.0");
    expect((await readdir(join(root, "cache/taskweaver"))).filter((name) => name.includes("lock"))).toEqual([]);
  });

  it("is made anew where it has broken since", async () => {
    await onPath();
    const first = await prepare();
    await rm(join(first.prefix, "bin/python"));
    expect((await prepare()).prefix).toBe(first.prefix);
    expect((await calls()).filter((call) => call.includes("-m pip"))).toHaveLength(2);
  });

  it("tells some of what pip says, and keeps all of it", async () => {
    await onPath();
    const { prefix } = await prepare({ FAKE_PIP: "chatters" });
    expect(progress.filter((line) => line.startsWith("Collecting"))).toEqual(["Collecting package-1"]);
    expect(progress).toContain("Installing 3 packages");
    expect((await readFile(`${prefix}.log`, "utf8")).match(/^Collecting/gm)).toHaveLength(10);
  });

  it.each([
    ["venv has no ensurepip", { FAKE_VENV: "no-ensurepip" }, /venv module is missing\. Install it: sudo apt-get install python3\.11-venv$/],
    ["there is no venv module", { FAKE_VENV: "no-module" }, /sudo apt-get install python3\.11-venv$/],
    [
      "the network is down",
      { FAKE_PIP: "offline" },
      /package index is not reachable.*--python PATH\nThe last that pip said \(all of it is in .*\.log\):\n  WARNING: Retrying/,
    ],
    ["the packages do not fit", { FAKE_PIP: "conflict" }, /ERROR: ResolutionImpossible: ipykernel and numpy do not fit\. Or name/],
    ["the disk is full", { FAKE_PIP: "full" }, /no space left/],
    ["pip is killed", { FAKE_PIP: "dies-half-way" }, /pip could not install/],
  ])("leaves nothing half made and says what to do where %s", async (_, extra, sentence) => {
    await onPath();
    await expect(prepare(extra)).rejects.toThrow(UsageError);
    await expect(prepare(extra)).rejects.toThrow(sentence);
    expect((await readdir(join(root, "cache/taskweaver"))).filter((name) => !name.endsWith(".log"))).toEqual(["checks"]);
    expect((await prepare()).source).toBe("managed");
  });

  it("says what to install where no Python is found, or only old ones", async () => {
    await expect(prepare()).rejects.toThrow(/^No Python was found: install Python 3\.10 or newer, e\.g\. by "/);
    await onPath();
    await expect(prepare({ FAKE_VERSION: "3, 6, 9" })).rejects.toThrow(/^Python 3\.6\.9 \(.*\) is too old: install/);
  });

  it("says so where the cache folder cannot be made", async () => {
    await onPath();
    await writeFile(join(root, "cache"), "in the way");
    await expect(prepare()).rejects.toThrow(/set XDG_CACHE_HOME to a writable folder/);
  });

  it("stops being made when it is told to", async () => {
    await onPath();
    const stop = new AbortController();
    const made = preparePython({
      environment,
      requirementsFile: join(root, "requirements.txt"),
      onProgress: () => stop.abort(),
      signal: stop.signal,
    });
    await expect(made).rejects.toThrow();
    expect((await readdir(join(root, "cache/taskweaver"))).filter((name) => !name.endsWith(".log"))).toEqual(["checks"]);
  });
});
