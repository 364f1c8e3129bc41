/**
 * `node scripts/container-base.mjs`: makes base images for `Dockerfile.executor` without a registry, from Debian's packages and this
 * machine's own Node. Needs root, debootstrap and a container engine; about a minute the first time, nothing after it.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { execute, main, say, StepError } from "./steps.mjs";

/** Debian with Python: the build argument BASE_IMAGE. */
export const BASE_IMAGE = "taskweaver-base:python";

/** The same with Node and npm: the build argument NODE_IMAGE. */
export const NODE_IMAGE = "taskweaver-base:node";

const RELEASE = "bookworm";
const PACKAGES = ["ca-certificates", "python3", "python3-venv"];
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** Makes the base images where the engine does not hold them yet. */
export async function ensureContainerBase() {
  if (!(await hasImage(BASE_IMAGE))) await withFolder(makePythonBase);
  if (!(await hasImage(NODE_IMAGE))) await withFolder(makeNodeBase);
}

async function makePythonBase(folder) {
  if (process.getuid?.() !== 0) throw new StepError("Base images are made by root: run this with sudo.");
  say(`Making ${BASE_IMAGE} (debootstrap ${RELEASE})`);
  const root = join(folder, "root");
  const mirror = await aptMirror();
  await run("debootstrap", ["--variant=minbase", `--include=${PACKAGES.join(",")}`, RELEASE, root, ...(mirror ? [mirror] : [])]);
  for (const path of ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"]) {
    await rm(join(root, path), { recursive: true, force: true });
    await mkdir(join(root, path), { recursive: true });
  }
  await mkdir(join(root, "var/cache/apt/archives/partial"), { recursive: true });
  // Builds reach the package indexes as this machine does, also where that takes certificates of its own.
  const certificates = await readFile(process.env.SSL_CERT_FILE ?? CERTIFICATES).catch(() => undefined);
  if (certificates) await writeFile(join(root, CERTIFICATES), certificates);
  const archive = join(folder, "root.tar");
  await run("tar", ["-C", root, "-cf", archive, "."]);
  const changes = ['CMD ["bash"]', ...environmentOfBuilds().map(([name, value]) => `ENV ${name}=${value}`)];
  await run("docker", ["import", ...changes.flatMap((change) => ["--change", change]), archive, BASE_IMAGE]);
}

async function makeNodeBase(folder) {
  say(`Making ${NODE_IMAGE} (Node ${process.versions.node})`);
  await cp(await realpath(process.execPath), join(folder, "node"));
  await cp(await npmFolder(), join(folder, "npm"), { recursive: true });
  const dockerfile = [
    `FROM ${BASE_IMAGE}`,
    "COPY node /usr/local/bin/node",
    "COPY npm /usr/local/lib/node_modules/npm",
    "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm",
  ];
  await writeFile(join(folder, "Dockerfile"), dockerfile.join("\n"));
  await run("docker", ["build", "--quiet", "--tag", NODE_IMAGE, folder]);
}

/** What pip and npm need to be told to work as they do outside. */
function environmentOfBuilds() {
  const passed = ["PIP_INDEX_URL", "NPM_CONFIG_REGISTRY"].filter((name) => process.env[name]).map((name) => [name, process.env[name]]);
  return [["PIP_CERT", CERTIFICATES], ["NODE_EXTRA_CA_CERTS", CERTIFICATES], ...passed];
}

/** Where this machine gets Debian's packages; empty on another distribution, where debootstrap's own default serves. */
async function aptMirror() {
  const { stdout } = await promisify(execFile)("apt-get", ["indextargets", "--format", "$(RELEASE) $(REPO_URI)"]).catch(() => ({
    stdout: "",
  }));
  return (
    stdout
      .split("\n")
      .find((line) => line.startsWith(`${RELEASE} `))
      ?.split(" ")[1] ?? ""
  );
}

async function npmFolder() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const cli = await realpath(join(folder, "npm")).catch(() => undefined);
    if (cli?.endsWith("npm-cli.js")) return dirname(dirname(cli));
  }
  throw new StepError("There is no npm on PATH.");
}

async function hasImage(name) {
  return promisify(execFile)("docker", ["image", "inspect", name]).then(
    () => true,
    () => false,
  );
}

async function withFolder(body) {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-base-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(command, args) {
  const code = await execute(command, args, { stdio: ["ignore", "ignore", "inherit"] }).catch((error) => {
    throw new StepError(`${command} could not be run: ${error.message}`);
  });
  if (code !== 0) throw new StepError(`${command} failed (exit code ${code}); see above.`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    await ensureContainerBase();
    process.stdout.write(`BASE_IMAGE=${BASE_IMAGE}\nNODE_IMAGE=${NODE_IMAGE}\n`);
  });
}
