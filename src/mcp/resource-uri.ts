/** The addresses of sessions' files among MCP's resources. */

const SCHEME = "taskweaver:";

/** As RFC 6570 has it. */
export const FILE_URI_TEMPLATE = `${SCHEME}//sessions/{session_id}/files/{+path}`;

/** The address of a file. */
export function fileUri(sessionId: string, path: string): string {
  return `${SCHEME}//sessions/${encodeURIComponent(sessionId)}/files/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** The file that an address names; undefined where it names none. */
export function parseFileUri(uri: string): { sessionId: string; path: string } | undefined {
  const match = /^taskweaver:\/\/sessions\/([^/]+)\/files\/(.+)$/.exec(uri);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  try {
    return { sessionId: decodeURIComponent(match[1]), path: match[2].split("/").map(decodeURIComponent).join("/") };
  } catch {
    return undefined;
  }
}
