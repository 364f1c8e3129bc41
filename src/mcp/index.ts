/** The Model Context Protocol's door to an execution server. */
export { DefaultSession } from "./default-session.ts";
export { McpEndpoint } from "./http-endpoint.ts";
export { createMcpServer, newDefaultSession, type ClientSource } from "./server.ts";
export { serveMcpOverStdio, type StdioStreams } from "./stdio.ts";
