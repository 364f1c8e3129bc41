/** Tools for a session's files: uploaded, listed, read. */
import type { CallToolResult } from "@modelcontextprotocol/server";
import { Type } from "typebox";
import { fileUri } from "../resource-uri.ts";
import { readFilePart } from "../session-file.ts";
import { MOST_CHARACTERS } from "../shorten.ts";
import { failure, text, type Tool } from "../tool.ts";
import { session_id } from "./inputs.ts";

const path = Type.String({ minLength: 1, maxLength: 4096, description: "Path below the session's folder" });

const UploadInput = Type.Object(
  {
    session_id,
    path,
    content: Type.String(),
    encoding: Type.Optional(
      Type.Unsafe<"text" | "base64">({ type: "string", enum: ["text", "base64"], description: "How content is written; text by default" }),
    ),
  },
  { additionalProperties: false },
);

/** `upload_file` */
export const uploadFile: Tool<typeof UploadInput> = {
  name: "upload_file",
  title: "Upload a file",
  description: "Writes a file into a session's folder, where its code finds it under the same path; a file that is there is replaced.",
  input: UploadInput,
  annotations: { destructiveHint: true, idempotentHint: true },
  async run({ session_id: id, path: name, content, encoding }, { client, defaultSession, signal }) {
    const session = await defaultSession.idFor(client, id);
    const bytes = encoding === "base64" ? decodeBase64(content) : new TextEncoder().encode(content);
    if (bytes === undefined) return failure("The content is not base64: send it as text, or encode it strictly.");
    const file = await client.uploadFile(session, name, bytes, { signal });
    return { content: [{ type: "text", text: `${file.path}: ${file.size} bytes (session_id ${session})` }, linkTo(session, file.path)] };
  },
};

const ListInput = Type.Object({ session_id }, { additionalProperties: false });
const MOST_FILES = 500;

/** `list_files` */
export const listFiles: Tool<typeof ListInput> = {
  name: "list_files",
  title: "List the files",
  description: "Lists the files in a session's folder with their sizes: what was uploaded, and what the code wrote.",
  input: ListInput,
  annotations: { readOnlyHint: true },
  async run({ session_id: id }, { client, defaultSession, signal }) {
    const session = id ?? defaultSession.id;
    const files = await client.listFiles(session, { signal });
    if (files.length === 0) return text(`The session ${session} has no files.`);
    const lines = files.slice(0, MOST_FILES).map((file) => `${file.path} (${file.size} bytes, ${file.modified_at})`);
    const rest = files.length > MOST_FILES ? `... and ${files.length - MOST_FILES} more: list them with run_code.` : "";
    return text(lines.join("\n"), rest);
  },
};

const ReadInput = Type.Object(
  {
    session_id,
    path,
    offset: Type.Optional(Type.Integer({ minimum: 0, description: "Of a text: where to begin, in characters; 0 by default" })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, description: `Of a text: how many characters; ${MOST_CHARACTERS} by default` }),
    ),
  },
  { additionalProperties: false },
);

/** `read_file` */
export const readFile: Tool<typeof ReadInput> = {
  name: "read_file",
  title: "Read a file",
  description: `Reads a file of a session: text (in parts, where it is long), or a picture. For tables and other data it is better to let code look at the file
(run_code) and print a summary.`,
  input: ReadInput,
  annotations: { readOnlyHint: true },
  async run(
    { session_id: id, path: name, offset = 0, limit = MOST_CHARACTERS },
    { client, defaultSession, signal },
  ): Promise<CallToolResult> {
    const session = id ?? defaultSession.id;
    const download = await client.downloadArtifact(session, name, { signal });
    const part = await readFilePart(download, offset, limit);
    if (part.kind === "image") return { content: [{ type: "image", data: part.base64, mimeType: part.mimeType }] };
    if (part.kind === "binary") {
      return {
        content: [{ type: "text", text: `${name} is no text (${part.mimeType}); look at it with run_code.` }, linkTo(session, name)],
      };
    }
    const end = offset + part.text.length;
    const more = part.isEnd ? "the end of the file" : `read on with offset ${end}`;
    return text(`${name}, characters ${offset} to ${end}; ${more}:`, part.text);
  },
};

function linkTo(session: string, name: string): CallToolResult["content"][number] {
  return { type: "resource_link", uri: fileUri(session, name), name };
}

function decodeBase64(content: string): Uint8Array<ArrayBuffer> | undefined {
  if (content.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(content)) return undefined;
  return new Uint8Array(Buffer.from(content, "base64"));
}
