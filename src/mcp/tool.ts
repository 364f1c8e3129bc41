/** What a tool is, how it is offered, and how a failed call is told. */
import {
  fromJsonSchema,
  type CallToolResult,
  type McpServer,
  type ServerContext,
  type ToolAnnotations,
} from "@modelcontextprotocol/server";
import type { Static, TSchema } from "typebox";
import { isFault, type ExecutionClient } from "../client/index.ts";
import { messageOf } from "../errors.ts";
import type { DefaultSession } from "./default-session.ts";

/** What all tools of one connection share. */
export interface ToolSurroundings {
  /** The execution server's client; it may have to be started first. */
  client: () => Promise<ExecutionClient>;
  defaultSession: DefaultSession;
}

/** One call of a tool. */
export interface ToolCall {
  client: ExecutionClient;
  defaultSession: DefaultSession;
  /** Aborts when the caller takes the call back. */
  signal: AbortSignal;
  /** Tells the caller what happens meanwhile; undefined where it does not want to know. */
  tell: ((message: string) => Promise<void>) | undefined;
}

/** A tool. */
export interface Tool<Input extends TSchema> {
  name: string;
  title: string;
  /** For the model: what it does, when to use it, what comes back. */
  description: string;
  input: Input;
  annotations: ToolAnnotations;
  run(input: Static<Input>, call: ToolCall): Promise<CallToolResult>;
}

/** Offers a tool. A fault of the execution server is the call's result, so that the model reads it and can do something about it. */
export function offer<Input extends TSchema>(server: McpServer, tool: Tool<Input>, surroundings: ToolSurroundings): void {
  const { name, title, description, annotations } = tool;
  const inputSchema = fromJsonSchema<Static<Input>>(tool.input);
  server.registerTool(
    name,
    { title, description, inputSchema, annotations: { openWorldHint: false, ...annotations } },
    async (input, context) => {
      try {
        const client = await surroundings.client();
        const { defaultSession } = surroundings;
        return await tool.run(input, { client, defaultSession, signal: context.mcpReq.signal, tell: tellerOf(context) });
      } catch (error) {
        if (context.mcpReq.signal.aborted) throw error;
        return failure(sentenceFor(error, input));
      }
    },
  );
}

/** A result of nothing but text. */
export function text(...parts: string[]): CallToolResult {
  return { content: [{ type: "text", text: parts.filter((part) => part !== "").join("\n\n") }] };
}

/** A call that could not be done, and why. */
export function failure(why: string): CallToolResult {
  return { ...text(why), isError: true };
}

function sentenceFor(error: unknown, input: unknown): string {
  const { session_id } = input as { session_id?: unknown };
  if (isFault(error, "session_not_found") && session_id === undefined) {
    return "This conversation has no session yet: run_code starts it. Or name one that exists (list_sessions).";
  }
  return isFault(error) ? `${error.message} (${error.code})` : messageOf(error);
}

/** Progress has to grow from each notification to the next; how much there will be, nobody knows. */
function tellerOf({ mcpReq }: ServerContext): ToolCall["tell"] {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let progress = 0;
  return async (message) => {
    progress += 1;
    await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, message } });
  };
}
