/** The MCP server of one connection: the tools, the files, and what a model is told of them. */
import { randomUUID } from "node:crypto";
import { McpServer } from "@modelcontextprotocol/server";
import type { ExecutionClient } from "../client/index.ts";
import { VERSION } from "../paths.ts";
import { DefaultSession } from "./default-session.ts";
import { offerFiles } from "./resources.ts";
import { offer } from "./tool.ts";
import { listFiles, readFile, uploadFile } from "./tools/files.ts";
import { loadPlugin, testPlugin, unloadPlugin } from "./tools/plugins.ts";
import { interrupt, readOutput, runCode } from "./tools/run-code.ts";
import { createSession, listSessions, listVariables, restartSession, setSessionVariables, stopSession } from "./tools/sessions.ts";

const INSTRUCTIONS = `Runs Python in stateful Jupyter kernels. Use run_code for calculations, data, files and figures: variables stay from call to call, errors come
back as tracebacks, figures as images. Calls without session_id share one session of this conversation; sessions that other programs made can be joined by name
(list_sessions).`;

/** Gives the client of the execution server; it may have to be started first. */
export type ClientSource = () => Promise<ExecutionClient>;

/** The session of a connection whose user has named none. */
export function newDefaultSession(): DefaultSession {
  return new DefaultSession(`mcp-${randomUUID().slice(0, 8)}`);
}

/** Makes the server of one connection. */
export function createMcpServer(client: ClientSource, defaultSession: DefaultSession): McpServer {
  const server = new McpServer({ name: "taskweaver", title: "TaskWeaver Executor", version: VERSION }, { instructions: INSTRUCTIONS });
  const surroundings = { client, defaultSession };
  offer(server, runCode, surroundings);
  offer(server, readOutput, surroundings);
  offer(server, interrupt, surroundings);
  offer(server, listSessions, surroundings);
  offer(server, createSession, surroundings);
  offer(server, restartSession, surroundings);
  offer(server, stopSession, surroundings);
  offer(server, listVariables, surroundings);
  offer(server, setSessionVariables, surroundings);
  offer(server, uploadFile, surroundings);
  offer(server, listFiles, surroundings);
  offer(server, readFile, surroundings);
  offer(server, loadPlugin, surroundings);
  offer(server, unloadPlugin, surroundings);
  offer(server, testPlugin, surroundings);
  offerFiles(server, client);
  return server;
}
