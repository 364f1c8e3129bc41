/** The server as a library: start it inside another program. */
export { SERVER_DEFAULTS, resolveServerSettings, type ServerSettings } from "./config.ts";
export { AppError, ERROR_TABLE, UsageError, type ErrorCode } from "./errors.ts";
export { VERSION } from "./paths.ts";
export { startServer, type RunningServer, type ServerHooks } from "./server.ts";
