/** A session as the caller holds it: the client's calls without the session's id. */
import type { FileInfo } from "../api/index.ts";
import type { ExecuteOptions, ExecutionClient, PluginSource, UploadContent } from "./client.ts";
import type { CallOptions } from "./connection.ts";
import type { Execution, FollowOptions } from "./execution.ts";

/** What the server says of a session that was just started. */
export interface StartedSession {
  cwd?: string;
  cwd_requested?: string;
}

/** One session of a server. */
export class ExecutionSession implements AsyncDisposable {
  readonly client: ExecutionClient;
  readonly sessionId: string;
  /** Where its code runs, on the server; undefined where the server was not asked. */
  readonly cwd: string | undefined;
  /** The folder asked for, where the server could not use it. */
  readonly cwdRequested: string | undefined;
  /** Whether the session was there before. */
  readonly isReused: boolean;

  constructor(client: ExecutionClient, sessionId: string, started: StartedSession, isReused: boolean) {
    this.client = client;
    this.sessionId = sessionId;
    this.cwd = started.cwd;
    this.cwdRequested = started.cwd_requested;
    this.isReused = isReused;
  }

  /** {@link ExecutionClient.executeCode} */
  executeCode(code: string, options?: ExecuteOptions): Execution {
    return this.client.executeCode(this.sessionId, code, options);
  }

  /** {@link ExecutionClient.followExecution} */
  followExecution(executionId: string, options?: FollowOptions): Execution {
    return this.client.followExecution(this.sessionId, executionId, options);
  }

  /** {@link ExecutionClient.getExecution} */
  getExecution(executionId: string, options?: CallOptions) {
    return this.client.getExecution(this.sessionId, executionId, options);
  }

  /** {@link ExecutionClient.listExecutions} */
  listExecutions(options?: CallOptions) {
    return this.client.listExecutions(this.sessionId, options);
  }

  /** {@link ExecutionClient.interrupt} */
  interrupt(executionId: string, options?: CallOptions) {
    return this.client.interrupt(this.sessionId, executionId, options);
  }

  /** {@link ExecutionClient.sendInput} */
  sendInput(executionId: string, text: string, options?: CallOptions) {
    return this.client.sendInput(this.sessionId, executionId, text, options);
  }

  /** {@link ExecutionClient.restart} */
  restart(options?: CallOptions) {
    return this.client.restart(this.sessionId, options);
  }

  /** {@link ExecutionClient.getSessionInfo} */
  getSessionInfo(options?: CallOptions) {
    return this.client.getSessionInfo(this.sessionId, options);
  }

  /** {@link ExecutionClient.loadPlugin} */
  loadPlugin(plugin: PluginSource, options?: CallOptions) {
    return this.client.loadPlugin(this.sessionId, plugin, options);
  }

  /** {@link ExecutionClient.unloadPlugin} */
  unloadPlugin(name: string, options?: CallOptions) {
    return this.client.unloadPlugin(this.sessionId, name, options);
  }

  /** {@link ExecutionClient.testPlugin} */
  testPlugin(name: string, options?: CallOptions) {
    return this.client.testPlugin(this.sessionId, name, options);
  }

  /** {@link ExecutionClient.updateSessionVar} */
  updateSessionVar(variables: Record<string, string>, options?: CallOptions) {
    return this.client.updateSessionVar(this.sessionId, variables, options);
  }

  /** {@link ExecutionClient.uploadFile} */
  uploadFile(path: string, content: UploadContent, options?: CallOptions): Promise<FileInfo> {
    return this.client.uploadFile(this.sessionId, path, content, options);
  }

  /** {@link ExecutionClient.listFiles} */
  listFiles(options?: CallOptions) {
    return this.client.listFiles(this.sessionId, options);
  }

  /** {@link ExecutionClient.downloadArtifact} */
  downloadArtifact(fileName: string, options?: CallOptions) {
    return this.client.downloadArtifact(this.sessionId, fileName, options);
  }

  /** {@link ExecutionClient.stop} */
  stop(options?: CallOptions) {
    return this.client.stop(this.sessionId, options);
  }

  /** Stops a session that this handle started; one that was there before stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isReused) await this.stop();
  }
}
