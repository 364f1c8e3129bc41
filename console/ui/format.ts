/** Times and sizes as people read them. */

/** E.g. `0.3 s`, `12 s`, `4 min`, `2 h`, `3 d`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** How long ago something was: `just now`, else as {@link formatDuration}, in whole seconds. */
export function formatAgo(milliseconds: number): string {
  return milliseconds < 5_000 ? "just now" : `${formatDuration(milliseconds).replace(/\.\d/, "")} ago`;
}

/** E.g. `812 B`, `1.4 kB`, `23 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Hours, minutes and seconds of a timestamp, in the reader's zone. */
export function formatClock(timestamp: string): string {
  return new Date(timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
