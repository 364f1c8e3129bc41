/** Reads files of a session for a model: text in parts, pictures whole. */
import type { Download } from "../client/index.ts";

/** Pictures that every client shows. */
export const SHOWN_IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** What came of a file. */
export type FilePart =
  | { kind: "text"; text: string; isEnd: boolean }
  | { kind: "image"; base64: string; mimeType: string }
  | { kind: "binary"; mimeType: string };

/** Larger pictures are of no use to a model. */
const LARGEST_IMAGE_BYTES = 5 * 1024 * 1024;

/**
 * Reads a part of a file and lets the rest go.
 * @param offset Where a text begins, in characters.
 * @param limit How many characters of it.
 */
export async function readFilePart(download: Download, offset: number, limit: number): Promise<FilePart> {
  const mimeType = download.mimeType.split(";")[0]?.trim() ?? "";
  if (SHOWN_IMAGES.has(mimeType) && (download.sizeBytes ?? 0) <= LARGEST_IMAGE_BYTES) {
    return { kind: "image", base64: Buffer.from(await download.bytes()).toString("base64"), mimeType };
  }
  return (await readText(download.body, offset, limit)) ?? { kind: "binary", mimeType };
}

/** Whether a type says that its content is text. */
export function isTextType(mimeType: string): boolean {
  return /^text\/|[/+](json|xml|yaml|javascript)$|^application\/(x-ipynb\+json|toml|sql)$/.test(mimeType.split(";")[0]?.trim() ?? "");
}

/** Undefined where the bytes are no text. */
async function readText(body: Download["body"], offset: number, limit: number): Promise<Extract<FilePart, { kind: "text" }> | undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let skipped = 0;
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const decoded = done ? decoder.decode() : decoder.decode(value, { stream: true });
      if (decoded.includes("\0")) return undefined;
      const toSkip = Math.min(offset - skipped, decoded.length);
      skipped += toSkip;
      text += decoded.slice(toSkip);
      if (text.length > limit) return { kind: "text", text: wholeCharacters(text, limit), isEnd: false };
      if (done) return { kind: "text", text, isEnd: true };
    }
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function wholeCharacters(text: string, limit: number): string {
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, limit > 1 && last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}
