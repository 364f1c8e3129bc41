/** Finding a server or starting one. */
export { ContainerLauncher, type ContainerOptions } from "./container-launcher.ts";
export { ExecutionService, type ExecutionServiceOptions } from "./execution-service.ts";
export { findServer, type FoundServer, type NoServer } from "./find-server.ts";
export type { LaunchedServer, LaunchRequest, ServerExit, ServerLauncher } from "./launcher.ts";
export { SubprocessLauncher, type SubprocessOptions } from "./subprocess-launcher.ts";
export { unixFetch } from "./unix-fetch.ts";
