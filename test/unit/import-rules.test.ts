/** The import rules of AGENTS.md bite: every forbidden pair of folders is refused by the linter, every allowed one passes. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";

/** Who may import whom; `errors` and `paths` may be imported by all but those that also run in browsers. */
const ALLOWED: Record<string, string[]> = {
  config: [],
  api: [],
  kernel: [],
  provision: ["kernel"],
  session: ["api", "kernel", "provision"],
  http: ["api", "session"],
  client: ["api"],
  launcher: ["client", "config"],
  interpreter: ["client"],
  gateway: ["api", "client"],
  mcp: ["api", "client"],
  server: ["api", "client", "config", "http", "kernel", "logger", "mcp", "provision", "session"],
  cli: ["client", "config", "interpreter", "launcher", "mcp", "server"],
  // The doctor looks for Python with the very code that starts kernels, so that the two never disagree.
  "cli/doctor": ["client", "config", "interpreter", "launcher", "provision", "server"],
};
/** What `server/` holds is for `server.ts` only. */
const FOLDERS = Object.keys(ALLOWED).filter((name) => !name.includes("/") && name !== "server");
const ROOT_FILES = ["server", "logger", "errors", "paths"];
const BROWSER_SAFE = ["api", "client"];

describe("the linter", () => {
  let root: string;
  let refused: Set<string>;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "taskweaver-lint-"));
    await writeProbes(root);
    refused = await lint(root);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it.each(Object.entries(ALLOWED))("lets src/%s import exactly what the design allows", (from, allowed) => {
    const targets = [...FOLDERS.filter((name) => name !== from.split("/")[0]), ...ROOT_FILES];
    const passed = targets.filter((to) => !refused.has(`src/${from}/imports-${to}.ts`));
    const everyones = BROWSER_SAFE.includes(from) ? ["errors"] : ["errors", "paths"];
    expect(passed.toSorted()).toEqual([...allowed, ...everyones].toSorted());
  });

  it("knows every folder of src", async () => {
    const entries = await readdir(join(PACKAGE_ROOT, "src"), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    expect(folders.filter((name) => ALLOWED[name] === undefined)).toEqual([]);
  });

  it("lets files deep in a folder import their own folder, and nothing above it that is forbidden", () => {
    expect(refused.has("src/http/routes/imports-app.ts")).toBe(false);
    expect(refused.has("src/http/routes/imports-provision.ts")).toBe(true);
  });

  it.each(["http", "cli", "cli/doctor", "session"])("keeps the parts of the wiring from src/%s", (from) => {
    expect(refused.has(`src/${from}/imports-wiring.ts`)).toBe(true);
    expect(refused.has("src/server.ts")).toBe(false);
  });

  it("keeps zeromq in one file", () => {
    expect(refused.has("src/kernel/zeromq-transport.ts")).toBe(false);
    expect(refused.has("src/kernel/imports-zeromq.ts")).toBe(true);
    expect(refused.has("src/session/imports-zeromq.ts")).toBe(true);
  });

  it.each(["src/api/imports-node.ts", "src/client/imports-node.ts", "src/api/imports-fs.ts"])("refuses Node's modules in %s", (file) => {
    expect(refused.has(file)).toBe(true);
  });

  it("lets the command line alone start a gateway, which takes nothing that runs Python", () => {
    expect(refused.has("src/cli/starts-gateway.ts")).toBe(false);
    expect(refused.has("src/http/starts-gateway.ts")).toBe(true);
    expect(refused.has("src/gateway.ts")).toBe(true);
  });

  it("lets the console import the client only", () => {
    expect(refused.has("console/imports-client.ts")).toBe(false);
    expect(refused.has("console/imports-api.ts")).toBe(true);
  });

  it.each(["floating-promise", "explicit-any", "non-null", "default-export", "snake_case", "long", "cycle-a", "parameter-property"])(
    "refuses src/kernel/%s.ts",
    (name) => {
      expect(refused.has(`src/kernel/${name}.ts`)).toBe(true);
    },
  );
});

async function writeProbes(root: string): Promise<void> {
  await cp(join(PACKAGE_ROOT, ".oxlintrc.json"), join(root, ".oxlintrc.json"));
  await cp(join(PACKAGE_ROOT, "tsconfig.json"), join(root, "tsconfig.json"));
  // Without it the linter would walk into node_modules.
  await writeFile(join(root, ".gitignore"), "node_modules\n");
  await symlink(join(PACKAGE_ROOT, "node_modules"), join(root, "node_modules"));
  for (const from of Object.keys(ALLOWED)) {
    const up = relative(from, ".");
    for (const to of FOLDERS) await write(root, `src/${from}/imports-${to}.ts`, `import "${up}/${to}/any.ts";\n`);
    for (const to of ROOT_FILES) await write(root, `src/${from}/imports-${to}.ts`, `import "${up}/${to}.ts";\n`);
    await write(root, `src/${from}/imports-wiring.ts`, `import "${up}/server/any.ts";\n`);
  }
  await write(root, "src/http/routes/imports-app.ts", 'import "../app.ts";\n');
  await write(root, "src/http/routes/imports-provision.ts", 'import "../../provision/any.ts";\n');
  await write(root, "src/kernel/zeromq-transport.ts", 'import "zeromq";\n');
  await write(root, "src/kernel/imports-zeromq.ts", 'import "zeromq";\n');
  await write(root, "src/session/imports-zeromq.ts", 'import "zeromq";\n');
  await write(root, "src/api/imports-node.ts", 'import "node:fs";\n');
  await write(root, "src/client/imports-node.ts", 'import "node:fs/promises";\n');
  await write(root, "src/api/imports-fs.ts", 'import "fs";\n');
  for (const from of ["cli", "http"]) await write(root, `src/${from}/starts-gateway.ts`, 'import "../gateway.ts";\n');
  await write(root, "src/server.ts", 'import "./server/any.ts";\n');
  await write(root, "src/gateway.ts", 'import "./kernel/any.ts";\n');
  await write(root, "console/imports-client.ts", 'import "../src/client/index.ts";\n');
  await write(root, "console/imports-api.ts", 'import "../src/api/index.ts";\n');
  await write(root, "src/kernel/floating-promise.ts", "export function start(): void {\n  Promise.resolve(1);\n}\n");
  await write(root, "src/kernel/explicit-any.ts", "export const value: any = 1;\n");
  await write(root, "src/kernel/non-null.ts", "export const first = (list: string[]): string => list[0]!;\n");
  await write(root, "src/kernel/default-export.ts", "export default 1;\n");
  await write(root, "src/kernel/snake_case.ts", "export const value = 1;\n");
  await write(root, "src/kernel/long.ts", "export const value = 1;\n".padEnd(500, "\n"));
  await write(root, "src/kernel/cycle-a.ts", 'import { b } from "./cycle-b.ts";\nexport const a = (): number => b();\n');
  await write(root, "src/kernel/cycle-b.ts", 'import { a } from "./cycle-a.ts";\nexport const b = (): number => a();\n');
  await write(root, "src/kernel/parameter-property.ts", "export class A {\n  constructor(readonly value: number) {}\n}\n");
}

async function write(root: string, file: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), content);
}

/** The files, relative to the root, that the linter reports. */
async function lint(root: string): Promise<Set<string>> {
  const program = join(PACKAGE_ROOT, "node_modules/oxlint/bin/oxlint");
  const output = await promisify(execFile)(process.execPath, [program, "--format", "json"], { cwd: root, maxBuffer: 2 ** 25 }).then(
    (result) => result.stdout,
    (error: { stdout?: string }) => error.stdout ?? "",
  );
  const report = JSON.parse(output) as { diagnostics: { filename: string }[] };
  return new Set(report.diagnostics.map((diagnostic) => diagnostic.filename));
}
