/** The environment variables of a kernel: the server's own without its secrets, then the kernelspec's, then the session's. */

/** The layers; later ones win. */
export interface KernelEnvironmentLayers {
  server: NodeJS.ProcessEnv;
  /** From the kernelspec; `${NAME}` in a value stands for a variable of the server's. */
  kernelSpec?: Record<string, string>;
  session?: Record<string, string>;
  /** How long a kernel of ours waits for a server to come back before it ends; absent: forever. */
  orphanTimeoutMs?: number;
}

/** Variables with our prefix that kernels may see: plugins read them. */
const KEPT = new Set(["TASKWEAVER_ENV_ID"]);

/**
 * What is about the server's own process and would mislead a kernel: the parent that another Jupyter gave it, Node's channel to
 * its parent, and, on macOS, which Python was started by which.
 */
const MISLEADING = new Set([
  "JPY_PARENT_PID",
  "JPY_INTERRUPT_EVENT",
  "JPY_SESSION_NAME",
  "NODE_CHANNEL_FD",
  "NODE_CHANNEL_SERIALIZATION_MODE",
  "NODE_UNIQUE_ID",
  "PYTHONEXECUTABLE",
  "__PYVENV_LAUNCHER__",
]);

/** Makes the environment of one kernel. */
export function kernelEnvironment(layers: KernelEnvironmentLayers): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(layers.server)) {
    if (value !== undefined && isForKernels(name)) environment[name] = value;
  }
  const server = { ...environment };
  for (const [name, value] of Object.entries(layers.kernelSpec ?? {})) environment[name] = substitute(value, server);
  // ipykernel ends by itself when this process is gone, however it went.
  Object.assign(environment, layers.session, { JPY_PARENT_PID: String(process.pid) });
  if (layers.orphanTimeoutMs !== undefined) environment["TASKWEAVER_ORPHAN_TIMEOUT"] = String(layers.orphanTimeoutMs / 1000);
  return environment;
}

/** Our settings hold keys, so none of them go on; what plugins are configured by (`PLUGIN_*`) and all that is not ours does. */
function isForKernels(name: string): boolean {
  if (MISLEADING.has(name)) return false;
  return !name.toUpperCase().startsWith("TASKWEAVER_") || KEPT.has(name);
}

/** Jupyter's rule for kernelspecs: `$NAME` and `${NAME}` are replaced, `$$` is a dollar sign, unknown names stay as they are. */
function substitute(template: string, values: Record<string, string>): string {
  return template.replaceAll(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    if (whole === "$$") return "$";
    return values[braced ?? bare ?? ""] ?? whole;
  });
}
