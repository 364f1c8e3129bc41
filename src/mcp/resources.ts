/** Sessions' files as MCP resources: what results link to can be read, and hosts can offer it to their users. */
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  ResourceTemplate,
  type McpServer,
  type ReadResourceResult,
} from "@modelcontextprotocol/server";
import { isFault, type ExecutionClient } from "../client/index.ts";
import { FILE_URI_TEMPLATE, fileUri, parseFileUri } from "./resource-uri.ts";
import { isTextType } from "./session-file.ts";

/** Of all sessions together; hosts show them in a list. */
const MOST_LISTED = 200;

/** A message has to hold the whole of it. */
const LARGEST_BYTES = 32 * 1024 * 1024;

/** Offers the files. */
export function offerFiles(server: McpServer, client: () => Promise<ExecutionClient>): void {
  const template = new ResourceTemplate(FILE_URI_TEMPLATE, {
    list: async () => ({ resources: await listFiles(await client()) }),
    complete: {
      session_id: async (value) => {
        const sessions = await (await client()).listSessions();
        return sessions.map(({ session_id }) => session_id).filter((id) => id.startsWith(value));
      },
    },
  });
  const metadata = { title: "Files of the sessions", description: "What was uploaded to a session, and what its code wrote" };
  server.registerResource("session-files", template, metadata, async (uri) => readFile(await client(), uri.href));
}

async function listFiles(client: ExecutionClient): Promise<{ uri: string; name: string; size: number }[]> {
  const sessions = await client.listSessions();
  const files = await Promise.all(
    sessions.map(async ({ session_id }) => {
      const found = await client.listFiles(session_id).catch(() => []);
      return found.map(({ path, size, modified_at }) => ({
        uri: fileUri(session_id, path),
        name: `${session_id}/${path}`,
        size,
        modified_at,
      }));
    }),
  );
  return files
    .flat()
    .toSorted((one, other) => other.modified_at.localeCompare(one.modified_at))
    .slice(0, MOST_LISTED)
    .map(({ uri, name, size }) => ({ uri, name, size }));
}

async function readFile(client: ExecutionClient, uri: string): Promise<ReadResourceResult> {
  const address = parseFileUri(uri);
  if (address === undefined) throw new ResourceNotFoundError(uri);
  try {
    const download = await client.downloadArtifact(address.sessionId, address.path);
    if ((download.sizeBytes ?? 0) > LARGEST_BYTES) {
      await download.body.cancel();
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `The file is larger than ${LARGEST_BYTES} bytes: read parts of it with read_file or run_code.`,
      );
    }
    const { mimeType } = download;
    const bytes = await download.bytes();
    const text = isTextType(mimeType) ? decoded(bytes) : undefined;
    return { contents: [text === undefined ? { uri, mimeType, blob: Buffer.from(bytes).toString("base64") } : { uri, mimeType, text }] };
  } catch (error) {
    throw isFault(error, "artifact_not_found", "session_not_found") ? new ResourceNotFoundError(uri) : error;
  }
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
