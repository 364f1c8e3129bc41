/** The image of `Dockerfile.executor`, built on a locally made base, for tests with a real container engine. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, beforeEach } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { withLock } from "../../src/provision/file-lock.ts";

const run = promisify(execFile);

/** The name that the documented build gives. */
export const IMAGE = "taskweaver-executor:latest";

/** The base images that `scripts/container-base.mjs` makes, as build arguments. */
export const BASE_ARGUMENTS = { BASE_IMAGE: "taskweaver-base:python", NODE_IMAGE: "taskweaver-base:node" };

const BUILD_TIMEOUT_MS = 8 * 60_000;

/** Why there can be no containers here; undefined where there can. */
export const missingForContainers = await whatIsMissing();

/** Builds the image before the tests of a file, once for all files; skips its tests, with the reason, where there is no engine. */
export function useContainerImage(): void {
  beforeAll(async () => {
    if (missingForContainers === undefined) await buildImage();
  }, BUILD_TIMEOUT_MS);
  beforeEach(({ skip }) => skip(missingForContainers !== undefined, missingForContainers));
}

/** Builds the image. The engine's cache makes all but the first build a matter of a second or two. */
export async function buildImage(tag = IMAGE): Promise<void> {
  const cache = join(PACKAGE_ROOT, ".cache");
  await mkdir(cache, { recursive: true });
  await withLock(join(cache, "container-image.lock"), { timeoutMs: BUILD_TIMEOUT_MS }, async () => {
    await run(process.execPath, [join(PACKAGE_ROOT, "scripts/container-base.mjs")]);
    const args = Object.entries(BASE_ARGUMENTS).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);
    await docker("build", ...args, "-f", "Dockerfile.executor", "-t", tag, ".");
  });
}

/** Runs the engine's command; resolves with what it wrote. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run("docker", args, { cwd: PACKAGE_ROOT, maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}

/** The names of the containers that carry a label, running or not. */
export async function containersLabelled(label: string): Promise<string[]> {
  const names = await docker("ps", "--all", "--filter", `label=${label}`, "--format", "{{.Names}}");
  return names === "" ? [] : names.split("\n");
}

async function whatIsMissing(): Promise<string | undefined> {
  // Debian's own client answers 0 without an engine, but has no version then.
  const version = await docker("version", "--format", "{{.Server.Version}}").catch(() => "");
  if (version === "") return "no container engine answers";
  if (process.getuid?.() !== 0) return "base images can be made by root only";
  return undefined;
}
