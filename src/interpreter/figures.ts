/** The figures of a result, as models take images. */
import type { ExecutionResult } from "../client/index.ts";

const MIME_TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
/** Services refuse larger ones, or shrink them. */
const MOST_CHARACTERS = 4_000_000;
const MOST_IMAGES = 4;

/** Data URLs of the last figures that are not too large. */
export function imagesOf({ artifact }: ExecutionResult): string[] {
  return artifact
    .flatMap(({ mime_type: mimeType, file_content: content, file_content_encoding: encoding }) => {
      const isImage = encoding === "base64" && content !== undefined && content !== "" && MIME_TYPES.has(mimeType);
      return isImage && content.length <= MOST_CHARACTERS ? [`data:${mimeType};base64,${content}`] : [];
    })
    .slice(-MOST_IMAGES);
}
