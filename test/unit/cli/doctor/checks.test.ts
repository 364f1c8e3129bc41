/** What each check finds on machines that lack something, and what it tells the user to do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkDocker } from "../../../../src/cli/doctor/docker.ts";
import { checkGpu } from "../../../../src/cli/doctor/gpu.ts";
import { checkNode, OLDEST_NODE } from "../../../../src/cli/doctor/node.ts";
import { checkPort } from "../../../../src/cli/doctor/port.ts";
import { pythonChecks } from "../../../../src/cli/doctor/python.ts";
import { checkSessionLimits } from "../../../../src/cli/doctor/session-limits.ts";
import { checkWalls } from "../../../../src/cli/doctor/walls.ts";
import { checkWorkDirectory } from "../../../../src/cli/doctor/work-directory.ts";
import { UsageError } from "../../../../src/errors.ts";
import { PACKAGE_ROOT } from "../../../../src/paths.ts";
import type { PythonChoice } from "../../../../src/provision/python-environment.ts";
import { pythonEnvironment } from "../../provision/python-fakes.ts";
import { fakeMachine, SETTINGS } from "./fake-machine.ts";

describe("Node.js", () => {
  it.each(["20.19.0", "20.20.2", "22.0.0", "24.1.0"])("%s will do", async (nodeVersion) => {
    expect(await checkNode(SETTINGS, fakeMachine({ nodeVersion }))).toEqual({ name: "Node.js", status: "ok", detail: nodeVersion });
  });

  it.each(["18.20.4", "20.18.1"])("%s is too old", async (nodeVersion) => {
    expect(await checkNode(SETTINGS, fakeMachine({ nodeVersion }))).toMatchObject({
      status: "problem",
      remedy: expect.stringContaining(OLDEST_NODE),
    });
  });

  it("is asked for as in the package's engines", () => {
    const manifest = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
    expect(manifest.engines.node).toBe(`>=${OLDEST_NODE}`);
  });
});

describe("Python", () => {
  const examine = (choice: PythonChoice, machine = fakeMachine()) =>
    Promise.all(pythonChecks(() => Promise.resolve(choice)).map((check) => check(SETTINGS, machine)));
  const python = pythonEnvironment({
    source: "path",
    packages: { ipykernel: "7.4.0", numpy: "2.4.6", pandas: "3.1.1", matplotlib: "3.11.2" },
  });
  const works = { [python.interpreter]: [0, ""] as [number, string] };

  it("is looked for once for all three checks", async () => {
    let count = 0;
    const checks = pythonChecks(() => {
      count += 1;
      return Promise.resolve({ kind: "ready", python });
    });
    await Promise.all(checks.map((check) => check(SETTINGS, fakeMachine())));
    expect(count).toBe(1);
  });

  it("is well with ipykernel and the usual packages", async () => {
    expect(await examine({ kind: "ready", python }, fakeMachine({}, works))).toEqual([
      { name: "Python", status: "ok", detail: "3.11.7 at /nowhere/bin/python (on PATH)" },
      { name: "ipykernel", status: "ok", detail: "7.4.0" },
      { name: "Packages", status: "ok", detail: "numpy 2.4.6, pandas 3.1.1, matplotlib 3.11.2" },
    ]);
  });

  it("lacks packages that code will import", async () => {
    const bare = { ...python, packages: { ...python.packages, pandas: null, matplotlib: null } };
    const [, , packages] = await examine({ kind: "ready", python: bare }, fakeMachine({}, works));
    expect(packages).toMatchObject({ status: "warning", remedy: '"/nowhere/bin/python" -m pip install pandas matplotlib' });
  });

  it("has an ipykernel that does not load", async () => {
    const broken = { [python.interpreter]: [1, "", "Traceback\nImportError: libzmq.so.5"] as [number, string, string] };
    const [, ipykernel] = await examine({ kind: "ready", python }, fakeMachine({}, broken));
    expect(ipykernel).toMatchObject({ status: "problem", detail: "7.4.0 does not load: ImportError: libzmq.so.5" });
    expect(ipykernel?.remedy).toContain("--force-reinstall");
  });

  it("will get an environment at the first start", async () => {
    const statuses = await examine({ kind: "to_make", base: python, folder: "/c/python-3.11-x" }, fakeMachine({}, works));
    expect(statuses.map((result) => result.status)).toEqual(["ok", "warning", "ok"]);
    expect(statuses[1]?.detail).toContain("/c/python-3.11-x");
  });

  it("cannot get one without the venv module", async () => {
    const [interpreter] = await examine(
      { kind: "to_make", base: python, folder: "/c/x" },
      fakeMachine({}, { [python.interpreter]: [1, ""] }),
    );
    expect(interpreter).toMatchObject({ status: "problem", remedy: expect.stringMatching(/^sudo apt-get install python3\.11-venv/) });
  });

  it.each([
    ["/p has no ipykernel. Install it: /p -m pip install ipykernel", "/p has no ipykernel", "Install it: /p -m pip install ipykernel"],
    ["No Python was found: install Python 3.10 or newer", "No Python was found", "Install Python 3.10 or newer"],
    ["/p is Python 3.8.1; kernels need 3.10 or newer.", "/p is Python 3.8.1", "Kernels need 3.10 or newer."],
    ["/p is broken", "/p is broken", undefined],
  ])("is unusable: %s", async (sentence, detail, remedy) => {
    const results = await examine({ kind: "unusable", error: new UsageError(sentence) });
    expect(results[0]).toEqual({ name: "Python", status: "problem", detail, ...(remedy === undefined ? {} : { remedy }) });
    expect(results.slice(1).map((result) => result.status)).toEqual(["warning", "warning"]);
  });
});

describe("the port", () => {
  const taken = async () => "EADDRINUSE";

  it("is free", async () => {
    expect(await checkPort(SETTINGS, fakeMachine())).toEqual({ name: "Port", status: "ok", detail: "localhost:8000 is free" });
  });

  it("is taken by a server of ours", async () => {
    const asked: string[] = [];
    const getJson = async (url: string) => {
      asked.push(url);
      return { status: "healthy", version: "0.1.0", active_sessions: 2 };
    };
    expect(await checkPort({ ...SETTINGS, host: "::1" }, fakeMachine({ tryListen: taken, getJson }))).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("TaskWeaver server (0.1.0)"),
    });
    expect(asked).toEqual(["http://[::1]:8000/api/v1/health"]);
  });

  it.each([undefined, null, "hello", { status: "ok" }, { status: "healthy" }])("is taken by a stranger that answers %j", async (answer) => {
    const result = await checkPort(SETTINGS, fakeMachine({ tryListen: taken, getJson: async () => answer }));
    expect(result).toMatchObject({ status: "problem", remedy: expect.stringContaining("lsof -i :8000") });
  });

  it("is not for ordinary users, or no address of this machine", async () => {
    expect(await checkPort({ ...SETTINGS, port: 80 }, fakeMachine({ tryListen: async () => "EACCES" }))).toMatchObject({
      status: "problem",
      remedy: expect.stringContaining("1023"),
    });
    expect(await checkPort({ ...SETTINGS, host: "10.9.8.7" }, fakeMachine({ tryListen: async () => "EADDRNOTAVAIL" }))).toMatchObject({
      status: "problem",
      remedy: expect.stringContaining("--host"),
    });
  });
});

describe("the work directory", () => {
  it("is there, or can be made", async () => {
    expect(await checkWorkDirectory(SETTINGS, fakeMachine())).toMatchObject({ status: "ok", detail: "/home/ada/workspace" });
    const lookAt = async (path: string) => (path === "/home" ? "writable" : "absent");
    expect(await checkWorkDirectory(SETTINGS, fakeMachine({ lookAt }))).toMatchObject({
      status: "ok",
      detail: "/home/ada/workspace (will be made)",
    });
  });

  it("cannot be written to", async () => {
    const lookAt = async (path: string) => (path === "/home/ada" ? "read_only" : "absent");
    expect(await checkWorkDirectory(SETTINGS, fakeMachine({ lookAt }))).toMatchObject({
      status: "problem",
      detail: "/home/ada is not writable",
      remedy: 'Choose another with --work-dir, or: sudo chown "$USER" "/home/ada"',
    });
  });

  it("is a file", async () => {
    expect(await checkWorkDirectory(SETTINGS, fakeMachine({ lookAt: async () => "no_folder" }))).toMatchObject({ status: "problem" });
  });

  it("has little space left", async () => {
    const result = await checkWorkDirectory(SETTINGS, fakeMachine({ freeBytes: async () => 10 * 2 ** 20 }));
    expect(result).toMatchObject({ status: "warning", detail: expect.stringContaining("only 10 MiB are free") });
  });
});

describe("Docker", () => {
  it("answers", async () => {
    expect(await checkDocker(SETTINGS, fakeMachine({}, { docker: [0, "28.0.1 20.10.24\n"] }))).toEqual({
      name: "Docker",
      status: "ok",
      detail: "engine 20.10.24",
    });
  });

  it.each([
    ["is not installed", {}, "sudo apt-get install docker.io"],
    ["does not answer", { docker: [1, "", "Cannot connect to the Docker daemon"] }, "sudo systemctl start docker"],
    ["lets this user not in", { docker: [1, "", "permission denied while trying to connect"] }, "usermod -aG docker"],
  ])("%s: a warning, and a problem where a container is wanted", async (_, commands, remedy) => {
    const machine = fakeMachine({}, commands as Record<string, [number, string, string]>);
    expect(await checkDocker(SETTINGS, machine)).toMatchObject({ status: "warning", remedy: expect.stringContaining(remedy) });
    expect(await checkDocker({ ...SETTINGS, container: true }, machine)).toMatchObject({ status: "problem" });
  });
});

describe("the limits of sessions", () => {
  const survey = (memory: string | null, processes: string | null) => fakeMachine({ surveyLimits: async () => ({ memory, processes }) });
  const asked = { ...SETTINGS, sessionLimits: { memoryBytes: 2 ** 30, processes: null } };

  it("are held by what the machine has", async () => {
    expect(await checkSessionLimits(asked, fakeMachine())).toEqual({
      name: "Session limits",
      status: "ok",
      detail: "can be held by control groups (version 2)",
    });
  });

  it("that nothing holds are a problem only where they are asked for", async () => {
    const machine = survey(null, "a user namespace for each session");
    expect(await checkSessionLimits(asked, machine)).toMatchObject({
      status: "problem",
      detail: "session_memory: nothing here holds it; session_processes: a user namespace for each session",
      remedy: expect.stringContaining("Delegate=yes"),
    });
    expect((await checkSessionLimits(SETTINGS, machine)).status).toBe("ok");
  });
});

describe("walls around kernels", () => {
  const unable = { level: null, landlock: 3, reasons: { namespaces: "not permitted", landlock: "too old" }, switches: [] };
  const machine = (ability: object) => fakeMachine({ tryWalls: async () => ({ ...unable, ...ability }) });

  it("are named, with what keeps the stronger ones away", async () => {
    expect(await checkWalls({ ...SETTINGS, sandbox: "auto" }, fakeMachine())).toEqual({
      name: "Walls",
      status: "ok",
      detail: "namespaces",
    });
    const landlock = machine({ level: "landlock", landlock: 7, reasons: { namespaces: "not permitted" } });
    expect(await checkWalls({ ...SETTINGS, sandbox: "required" }, landlock)).toEqual({
      name: "Walls",
      status: "ok",
      detail: "Landlock 7 (namespaces: not permitted)",
    });
  });

  it("that could be raised and are not asked for are said to be off", async () => {
    expect(await checkWalls(SETTINGS, fakeMachine())).toMatchObject({ status: "ok", detail: "namespaces; off, see the setting sandbox" });
  });

  it.each([
    ["none", "ok"],
    ["auto", "warning"],
    ["required", "problem"],
  ] as const)("that cannot be raised are for sandbox %s: %s", async (sandbox, status) => {
    expect(await checkWalls({ ...SETTINGS, sandbox }, machine({}))).toMatchObject({
      status,
      detail: "cannot be raised: namespaces: not permitted; landlock: too old",
      remedy: expect.stringContaining("Linux 6.12"),
    });
  });

  it("name the switches that the system's owner can turn, and elsewhere the container", async () => {
    const forbidden = machine({ switches: ["user.max_user_namespaces=15000", "kernel.unprivileged_userns_clone=1"] });
    expect((await checkWalls(SETTINGS, forbidden)).remedy).toBe(
      "sudo sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1",
    );
    const halfway = machine({ level: "landlock", switches: ["kernel.unprivileged_userns_clone=1"] });
    expect(await checkWalls(SETTINGS, halfway)).toMatchObject({ status: "ok", remedy: expect.stringContaining("sudo sysctl -w kernel.") });
    const mac = { ...machine({ reasons: { namespaces: "they need Linux" } }), platform: "darwin" as const };
    expect((await checkWalls(SETTINGS, mac)).remedy).toContain("in a container");
    expect(await checkWalls({ ...SETTINGS, container: true }, mac)).toMatchObject({ status: "ok" });
  });
});

describe("the GPU", () => {
  it("is not needed", async () => {
    expect(await checkGpu(SETTINGS, fakeMachine())).toMatchObject({ status: "ok", detail: expect.stringContaining("none found") });
  });

  it("is named", async () => {
    const machine = fakeMachine({}, { "nvidia-smi": [0, "NVIDIA L4, 23034 MiB\nNVIDIA L4, 23034 MiB\n"] });
    expect(await checkGpu(SETTINGS, machine)).toMatchObject({ status: "ok", detail: "NVIDIA L4, 23034 MiB; NVIDIA L4, 23034 MiB" });
  });

  it("has a driver that fails", async () => {
    const machine = fakeMachine({}, { "nvidia-smi": [18, "Failed to initialize NVML: Driver/library version mismatch\n"] });
    expect(await checkGpu(SETTINGS, machine)).toMatchObject({ status: "warning", detail: expect.stringContaining("version mismatch") });
  });
});
