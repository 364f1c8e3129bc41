/** The time, for what shows how long something takes or is ago. */
import { signal } from "@preact/signals";

/** Milliseconds since the epoch, to the second. */
export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1_000);
