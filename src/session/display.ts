/** From a Jupyter MIME bundle to what an artifact holds: the richest form that a client can show. */
import type { Artifact } from "../api/index.ts";

/** The content of a display, ready to be written to a file and sent. */
export interface DisplayContent {
  type: Artifact["type"];
  mimeType: string;
  extension: string;
  content: string;
  encoding: "base64" | "str";
  /** The `text/plain` form, as a caption. */
  preview: string;
}

interface Form {
  matches: (mimeType: string) => boolean;
  type: Artifact["type"];
  extension: (mimeType: string) => string;
}

const exactly = (mimeType: string, type: Artifact["type"], extension: string): Form => ({
  matches: (candidate) => candidate === mimeType,
  type,
  extension: () => extension,
});

/** From the richest to the plainest. */
const FORMS: Form[] = [
  exactly("image/png", "image", "png"),
  exactly("image/jpeg", "image", "jpg"),
  exactly("image/gif", "image", "gif"),
  exactly("image/webp", "image", "webp"),
  exactly("image/svg+xml", "svg", "svg"),
  {
    matches: (mimeType) => mimeType.startsWith("image/"),
    type: "image",
    extension: (mimeType) => safeExtension(mimeType.slice("image/".length)),
  },
  exactly("application/pdf", "file", "pdf"),
  {
    matches: (mimeType) => /^application\/(vnd\.plotly|vnd\.vega|vnd\.vegalite|vnd\.bokehjs|geo)/.test(mimeType),
    type: "chart",
    extension: () => "json",
  },
  exactly("text/html", "html", "html"),
  exactly("text/latex", "txt", "tex"),
  exactly("text/markdown", "txt", "md"),
  exactly("application/json", "txt", "json"),
];

const PLAIN = exactly("text/plain", "txt", "txt");

/**
 * Picks the richest form of a MIME bundle.
 * @param data As in the `data` of `display_data`: MIME type to content (base64 for binary images, a value for JSON types).
 * @param plainCounts Whether a bundle with nothing but `text/plain` is worth an artifact (a display is, a last value is not).
 * @see https://jupyter-client.readthedocs.io/en/stable/messaging.html#display-data
 */
export function richestForm(data: Record<string, unknown>, plainCounts: boolean): DisplayContent | undefined {
  const forms = plainCounts ? [...FORMS, PLAIN] : FORMS;
  for (const form of forms) {
    const mimeType = Object.keys(data).find((candidate) => form.matches(candidate));
    if (mimeType === undefined) continue;
    const isBinary = form.type === "image" || form.type === "file";
    return {
      type: form.type,
      mimeType,
      extension: form.extension(mimeType),
      content: isBinary ? textOf(data[mimeType]).replace(/\s+/g, "") : contentOf(mimeType, data[mimeType]),
      encoding: isBinary ? "base64" : "str",
      preview: textOf(data["text/plain"] ?? "").slice(0, 1000),
    };
  }
  return undefined;
}

/** Multi-line strings may come as a list of lines (nbformat's habit); JSON types as values. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((part) => typeof part === "string")) return value.join("");
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    // JSON that was read can still be nested too deep to be written.
    return "[nested too deep to be shown]";
  }
}

/** Of a JSON type a list of strings is a value, not lines. */
function contentOf(mimeType: string, value: unknown): string {
  const isJson = /[/+]json$/.test(mimeType);
  return isJson && typeof value === "object" ? JSON.stringify(value) : textOf(value);
}

function safeExtension(subtype: string): string {
  return subtype.replace(/[^A-Za-z0-9]/g, "").slice(0, 10) || "bin";
}
