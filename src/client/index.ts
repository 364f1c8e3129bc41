/** The SDK: `ExecutionClient`, its sessions and executions, and the contract's types. Runs in Node and browsers. */
export { ExecutionClient, type ExecuteOptions, type PluginSource, type StartOptions, type UploadContent } from "./client.ts";
export type { CallOptions, ConnectionOptions, Fetch } from "./connection.ts";
export type { Download } from "./download.ts";
export {
  CLIENT_FAULT_CODES,
  ExecutionClientError,
  isFault,
  type ClientFaultCode,
  type ExecutionClientErrorOptions,
  type RequestFieldError,
} from "./error.ts";
export { Execution, type ExecutionHandlers, type FollowOptions, type InputPrompt } from "./execution.ts";
export { outputText } from "./output-text.ts";
export { ExecutionSession } from "./session.ts";
export type {
  Artifact,
  CompleteResponse,
  EndReason,
  ExecutionEvent,
  ExecutionResult,
  ExecutionState,
  ExecutionStatus,
  ExecutionSummary,
  FileInfo,
  Health,
  Lease,
  LoadPluginResponse,
  LogEntry,
  Notebook,
  SessionInfo,
  StopSessionResponse,
  TestPluginResponse,
  Truncation,
  UnloadPluginResponse,
  UpdateVariablesResponse,
  VariableEntry,
} from "../api/index.ts";
