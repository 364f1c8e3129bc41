/** Files of a session: uploads, the listing, raw replacement. */
import { Type, type Static } from "typebox";
import { oneOf, optional } from "./optional.ts";

export const UploadFileRequest = Type.Object(
  {
    filename: Type.String({ minLength: 1, maxLength: 4096, description: "A path under the session's cwd" }),
    content: Type.String(),
    encoding: optional(oneOf(["base64", "text"], "How content is written; base64 by default")),
  },
  { $id: "UploadFileRequest", title: "UploadFileRequest", additionalProperties: false },
);
export type UploadFileRequest = Static<typeof UploadFileRequest>;

export const UploadFileResponse = Type.Object(
  { filename: Type.String(), status: Type.Literal("uploaded"), path: Type.String({ description: "Absolute, on the server" }) },
  { $id: "UploadFileResponse", title: "UploadFileResponse" },
);
export type UploadFileResponse = Static<typeof UploadFileResponse>;

export const FileInfo = Type.Object(
  {
    path: Type.String({ description: "Relative to the session's cwd" }),
    size: Type.Integer({ description: "Bytes" }),
    modified_at: Type.String({ description: "RFC 3339, UTC" }),
  },
  { $id: "FileInfo", title: "FileInfo" },
);
export type FileInfo = Static<typeof FileInfo>;

export const FileList = Type.Object({ files: Type.Array(Type.Ref("FileInfo#")) }, { $id: "FileList", title: "FileList" });
export type FileList = { files: FileInfo[] };
