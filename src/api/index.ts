/** The contract: one schema per concept gives validation, types, OpenAPI and the SDK's types. Safe in browsers. */
export { Claim, ClaimList, ClaimLists, ClaimParams, ClaimQuery, ClaimRequest, HeldSessions, type ExecutorAt } from "./claims.ts";
export { CompleteRequest, CompleteResponse } from "./completion.ts";
export { ErrorBody } from "./errors.ts";
export { Health, Readiness } from "./health.ts";
export { ExecutionId, ExecutionParams, PluginName, PluginParams, SessionId, SessionParams } from "./ids.ts";
export {
  CreateSessionRequest,
  CreateSessionResponse,
  SessionInfo,
  SessionList,
  StopSessionResponse,
  UpdateVariablesRequest,
  UpdateVariablesResponse,
} from "./sessions.ts";
export { Lease, LeaseParams, LeaseRequest } from "./leases.ts";
export { LoadPluginRequest, LoadPluginResponse, TestPluginResponse, UnloadPluginResponse } from "./plugins.ts";
export { Notebook, NotebookQuery } from "./notebook.ts";
export { FileInfo, FileList, UploadFileRequest, UploadFileResponse } from "./files.ts";
export {
  ARTIFACT_TYPES,
  Artifact,
  END_REASONS,
  EXECUTION_STATES,
  bareResult,
  ExecuteRequest,
  ExecutionList,
  ExecutionResult,
  ExecutionStatus,
  ExecutionSummary,
  InputRequest,
  InputResponse,
  StreamEvent,
  StreamingStarted,
  StreamQuery,
  Truncation,
} from "./executions.ts";
export type { EndReason, ExecutionEvent, ExecutionState, LogEntry, VariableEntry } from "./executions.ts";

/** Where all endpoints of the contract begin. */
export const API_PREFIX = "/api/v1";
