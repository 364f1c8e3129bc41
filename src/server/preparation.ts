/** What has to be in order before a server can listen: its work directory, its certificate, its key, the walls around its kernels. */
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { ServerSettings } from "../config.ts";
import { messageOf, UsageError } from "../errors.ts";
import { Certificate } from "../http/certificate.ts";
import { isLoopbackBind } from "../http/listen.ts";
import { madeKey } from "../http/made-key.ts";
import { PACKAGE_ROOT, PYTHON_ROOT } from "../paths.ts";
import type { PythonEnvironment } from "../provision/python-environment.ts";
import { chooseSandbox, type Sandbox, type SandboxAbility, type SandboxWish } from "../provision/sandbox/sandbox.ts";
import { makeFolders } from "../session/folders.ts";

/** Makes it where it is not there. @throws UsageError where it cannot be written to. */
export async function prepareWorkDirectory(workDir: string): Promise<void> {
  try {
    // Who could rename what lies in it could give the server another key, and other sessions; a lax umask does not change that.
    await makeFolders(join(workDir, "sessions"), 0o755);
    await access(join(workDir, "sessions"), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`The work directory ${workDir} is not writable (${messageOf(error)}). Choose another with --work-dir.`, {
      cause: error,
    });
  }
}

/** Undefined where there is none. @throws UsageError where it cannot be used. */
export async function openCertificate({ tls, socketPath }: ServerSettings, logger: Logger): Promise<Certificate | undefined> {
  if (tls === null) return undefined;
  if (socketPath === null) return Certificate.open(tls, logger);
  throw new UsageError(
    "A Unix socket has no certificate, its file says who may connect: leave out socket, or tls_certificate and tls_key.",
  );
}

/** The walls that the settings ask for; undefined for none. @throws UsageError where they are required and cannot be raised. */
export function sandboxOf(
  settings: ServerSettings,
  { interpreter, prefix }: PythonEnvironment,
  rest: Pick<SandboxWish, "runtimeDirectory" | "onUnable">,
  ask?: (interpreter: string) => Promise<SandboxAbility>,
): Promise<Sandbox | undefined> {
  const { sandbox, sandboxNetwork: network, sandboxRead: readable, workDir: workDirectory } = settings;
  const programs = [prefix, PYTHON_ROOT, join(import.meta.dirname, ".."), join(PACKAGE_ROOT, "node_modules")];
  return chooseSandbox({ sandbox, network, readable, workDirectory, programs, interpreter, ...rest }, ask);
}

/** A server that others can reach has a key, and so has one that asks even local clients for it. */
export async function makeKeyWhereNeeded(
  settings: ServerSettings,
  requireKey: boolean,
): Promise<{ key: string; file: string } | undefined> {
  if (settings.apiKey !== null || (isLoopbackBind(settings) && !requireKey)) return undefined;
  return madeKey(settings.workDir);
}
