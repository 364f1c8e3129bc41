/** Short messages at the edge of the page, and what screen readers are told. */
import { signal } from "@preact/signals";

/** One message. */
export interface Notice {
  id: number;
  text: string;
  kind: "info" | "error";
}

const SHOWN_MS = 6_000;
const ERROR_SHOWN_MS = 15_000;

let count = 0;

/** The messages shown now. */
export const notices = signal<Notice[]>([]);

/** What is read out next, politely. */
export const announcement = signal("");

/** Shows a message for a while. */
export function notify(text: string, kind: Notice["kind"] = "info"): void {
  const id = (count += 1);
  notices.value = [...notices.value.slice(-3), { id, text, kind }];
  setTimeout(() => dismiss(id), kind === "error" ? ERROR_SHOWN_MS : SHOWN_MS);
}

/** Shows what went wrong; a wait that was ended on purpose is nothing to show. */
export function notifyError(error: unknown): void {
  if (error instanceof Error && "code" in error && (error.code === "aborted" || error.code === "unauthorized")) return;
  notify(error instanceof Error ? error.message : String(error), "error");
}

/** Takes a message away. */
export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Has a text read out. */
export function announce(text: string): void {
  announcement.value = text;
}
