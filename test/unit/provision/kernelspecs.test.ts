/** Finding kernelspecs, on folders made for the test. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findKernelSpec, listKernelSpecs, type KernelSpecOptions } from "../../../src/provision/kernelspecs.ts";
import { pythonEnvironment } from "./python-fakes.ts";

let root: string;
let options: KernelSpecOptions;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-specs-"));
  options = {
    python: pythonEnvironment({ interpreter: join(root, "env/bin/python"), prefix: join(root, "env"), isVirtual: true }),
    environment: { JUPYTER_PATH: join(root, "named"), JUPYTER_DATA_DIR: join(root, "user"), HOME: root },
  };
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function install(base: string, name: string, content: unknown): Promise<string> {
  const folder = join(root, base, "kernels", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "kernel.json"), typeof content === "string" ? content : JSON.stringify(content));
  return folder;
}

describe("findKernelSpec", () => {
  it("takes python3 to be ours, even where a stock one is installed", async () => {
    await install("user", "python3", { argv: ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], language: "python" });
    const spec = await findKernelSpec("python3", options);
    expect(spec.argv).toEqual([options.python.interpreter, expect.stringMatching(/taskweaver_kernel\.py$/), "-f", "{connection_file}"]);
    expect(spec.transport).toBe("ipc");
  });

  it("activates the virtual environment for what a python3 kernel starts", async () => {
    const spec = await findKernelSpec("python3", options);
    expect(spec.env).toEqual({ VIRTUAL_ENV: join(root, "env"), PATH: `${join(root, "env/bin")}:\${PATH}` });
    const system = { ...options, python: { ...options.python, isVirtual: false } };
    expect((await findKernelSpec("python3", system)).env).toEqual({});
  });

  it("reads another language's kernel.json", async () => {
    const folder = await install("user", "IR", {
      argv: ["R", "--slave", "{resource_dir}/start.R", "{connection_file}"],
      display_name: "R",
      language: "R",
      env: { R_HOME: "/opt/R" },
      interrupt_mode: "message",
    });
    expect(await findKernelSpec("ir", options)).toEqual({
      name: "ir",
      displayName: "R",
      language: "r",
      argv: ["R", "--slave", `${folder}/start.R`, "{connection_file}"],
      env: { R_HOME: "/opt/R" },
      interruptMode: "message",
      transport: "tcp",
    });
  });

  it("runs a kernelspec that says only python with the environment's interpreter, over Unix sockets", async () => {
    await install("env/share/jupyter", "bash", { argv: ["python", "-m", "bash_kernel", "-f", "{connection_file}"], language: "bash" });
    const spec = await findKernelSpec("bash", options);
    expect(spec.argv[0]).toBe(options.python.interpreter);
    expect(spec.transport).toBe("ipc");
  });

  it("keeps an interpreter that a kernelspec names by its path", async () => {
    await install("user", "other", { argv: ["/opt/other/bin/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"] });
    expect((await findKernelSpec("other", options)).argv[0]).toBe("/opt/other/bin/python3");
  });

  it.each(["ipc", "tcp"])("lets a kernelspec ask for %s", async (transport) => {
    await install("user", "hinted", { argv: ["run", "{connection_file}"], metadata: { taskweaver: { transport } } });
    expect((await findKernelSpec("hinted", options)).transport).toBe(transport);
  });

  it("names the kernels there are where one is unknown", async () => {
    await install("user", "ir", { argv: ["R", "{connection_file}"] });
    await expect(findKernelSpec("julia", options)).rejects.toMatchObject({
      code: "unknown_kernel",
      message: expect.stringMatching(/^No kernel "julia" is installed; there are: python3, ir/),
    });
  });

  it("finds no kernel outside the folders by a name with a path in it", async () => {
    await install("elsewhere", "x", { argv: ["x"] });
    await expect(findKernelSpec("../../elsewhere/kernels/x", options)).rejects.toMatchObject({ code: "unknown_kernel" });
  });
});

describe("listKernelSpecs", () => {
  it("prefers the folders that the user names, then the environment's, then the user's", async () => {
    for (const base of ["user", "env/share/jupyter", "named"]) await install(base, "same", { argv: [base] });
    for (const base of ["user", "env/share/jupyter"]) await install(base, "other", { argv: [base] });
    const specs = await listKernelSpecs(options);
    expect(specs.find((spec) => spec.name === "same")?.argv).toEqual(["named"]);
    expect(specs.find((spec) => spec.name === "other")?.argv).toEqual(["env/share/jupyter"]);
  });

  it.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["no argv", {}],
    ["an empty argv", { argv: [] }],
  ])("passes over a kernel.json with %s", async (_, content) => {
    await install("user", "broken", content);
    expect((await listKernelSpecs(options)).map((spec) => spec.name)).not.toContain("broken");
  });

  it("passes over folders whose names are no kernel names", async () => {
    await install("user", "my kernel", { argv: ["x"] });
    expect((await listKernelSpecs(options)).map((spec) => spec.name)).not.toContain("my kernel");
  });
});
