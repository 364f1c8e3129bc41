/** Files of a session: uploaded, put, listed; and its artifacts, downloaded. */
import { Readable } from "node:stream";
import send from "@fastify/send";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import mime from "mime";
import { Type } from "typebox";
import { FileInfo, FileList, SessionId, SessionParams, UploadFileRequest, UploadFileResponse } from "../../api/index.ts";
import { AppError } from "../../errors.ts";
import { listSessionFiles, openSessionFile, writeSessionFile } from "../../session/workspace.ts";
import type { HttpContext } from "../context.ts";
import { errors, raw, ref } from "../route-schemas.ts";

const FileParams = Type.Object({ session_id: SessionId, "*": Type.String() });

const ANY_BYTES = raw("application/octet-stream", "The bytes, with the media type of the file's name");

interface FileRoute {
  Params: { session_id: string; "*": string };
}

/** `/sessions/{session_id}/files` and `/artifacts`. */
export function fileRoutes(app: FastifyInstance, { sessions, disk }: HttpContext): void {
  const tags = ["files"];
  app.post<{ Params: { session_id: string }; Body: UploadFileRequest }>(
    "/sessions/:session_id/files",
    {
      schema: {
        summary: "Upload a file",
        tags,
        params: SessionParams,
        body: ref(UploadFileRequest),
        response: { 200: ref(UploadFileResponse), ...errors(404, 413, 507) },
      },
    },
    async (request) => {
      const session = sessions.get(request.params.session_id);
      session.touch();
      const { filename, content, encoding } = request.body;
      const bytes = encoding === "text" ? Buffer.from(content, "utf8") : decodeBase64(content);
      await disk?.roomFor(session, bytes.length);
      const { path } = await writeSessionFile(session.workspace.cwd, filename, bytes);
      return { filename, status: "uploaded", path };
    },
  );

  app.get<{ Params: { session_id: string } }>(
    "/sessions/:session_id/files",
    { schema: { summary: "List the files", tags, params: SessionParams, response: { 200: ref(FileList), ...errors(404) } } },
    async (request) => ({ files: await listSessionFiles(sessions.get(request.params.session_id).workspace.cwd) }),
  );

  app.put<FileRoute>(
    "/sessions/:session_id/files/*",
    {
      config: { rawBody: true },
      schema: {
        summary: "Put a file (raw body)",
        tags,
        params: FileParams,
        consumes: ["application/octet-stream"],
        response: { 200: ref(FileInfo), 201: ref(FileInfo), ...errors(404, 507) },
      },
    },
    async (request, reply) => {
      const session = sessions.get(request.params.session_id);
      session.touch();
      const body = (request.body as Readable | undefined) ?? Buffer.alloc(0);
      const roomBytes = await disk?.roomFor(session, Number(request.headers["content-length"] ?? 0));
      const content = roomBytes === undefined || body instanceof Uint8Array ? body : atMost(roomBytes, body);
      const { created, info } = await writeSessionFile(session.workspace.cwd, request.params["*"], content);
      session.touch();
      reply.status(created ? 201 : 200);
      return info;
    },
  );

  app.route<FileRoute>({
    method: ["GET", "HEAD"],
    url: "/sessions/:session_id/artifacts/*",
    schema: {
      summary: "Download an artifact",
      description: "The bytes, as an attachment, with ETag and Range.",
      tags,
      params: FileParams,
      response: { 200: ANY_BYTES, 206: ANY_BYTES, ...errors(404, 416) },
    },
    handler: (request, reply) => {
      const session = sessions.get(request.params.session_id);
      session.touch();
      return sendFile(request, reply, session.workspace.cwd, request.params["*"]);
    },
  });
}

/** Passes a body on, and fails it where it is longer than what there is room for. */
function atMost(roomBytes: number, body: Readable): Readable {
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > roomBytes) throw new AppError("no_space", "The file is larger than the room that the session has left (session_disk).");
      yield chunk;
    }
  };
  return Readable.from(counted(), { objectMode: false });
}

/** Sends a file of the session's: the file that was opened and checked, whatever happens to its path meanwhile. */
async function sendFile(request: FastifyRequest, reply: FastifyReply, cwd: string, filename: string): Promise<FastifyReply> {
  const { handle, path } = await openSessionFile(cwd, filename);
  try {
    const { statusCode, headers, stream, type } = await send(request.raw, encodeURI(path), {
      dotfiles: "allow",
      contentType: false,
      index: false,
    });
    if (type === "error" && statusCode !== 416) throw new AppError("artifact_not_found");
    if (statusCode === 416) {
      if (headers["Content-Range"] !== undefined) reply.header("content-range", headers["Content-Range"]);
      throw new AppError("range_not_satisfiable");
    }
    const name = filename.split("/").at(-1) ?? filename;
    stream.once("close", () => void handle.close());
    reply
      .status(statusCode)
      .headers(headers)
      .type(contentType(name))
      .header("content-disposition", attachment(name))
      .header("cache-control", "no-cache");
    return await reply.send(stream);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function contentType(name: string): string {
  const type = mime.getType(name) ?? "application/octet-stream";
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}

/** @see RFC 6266 and RFC 8187: a plain name for all, the exact one in UTF-8 for those that read it. */
function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/g, "_").replace(/["\\]/g, "_");
  const exact = encodeURIComponent(name).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}

function decodeBase64(content: string): Buffer {
  if (content.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(content)) throw new AppError("invalid_base64");
  return Buffer.from(content, "base64");
}
