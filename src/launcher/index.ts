/** Finding a server or starting one. */
export { ExecutionService, type ExecutionServiceOptions } from "./execution-service.ts";
export { connectionOptions, findServer, type FoundServer, type NoServer } from "./find-server.ts";
export type { LaunchedServer, LaunchRequest, ServerExit, ServerLauncher } from "./launcher.ts";
export { SubprocessLauncher, type SubprocessOptions } from "./subprocess-launcher.ts";
export { unixFetch } from "./unix-fetch.ts";
