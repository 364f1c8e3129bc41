/** The page's icons: strokes on a grid of 16, in the colour of the text around them. */
import type { JSX } from "preact";

const PATHS = {
  play: "M5 3.2v9.6l7.6-4.8z",
  stop: "M4 4h8v8H4z",
  restart: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3.2H9.8",
  plus: "M8 3v10M3 8h10",
  power: "M8 1.8v6M4.6 4.4a5 5 0 1 0 6.8 0",
  close: "M4 4l8 8M12 4l-8 8",
  download: "M8 2.5v7.5M4.8 7.2L8 10.4l3.2-3.2M3 13.5h10",
  upload: "M8 10.5V3M4.8 6.2L8 3l3.2 3.2M3 13.5h10",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z",
  screen: "M2 3h12v8H2zM6 14h4M8 11v3",
  check: "M3 8.6l3.2 3.2L13 4.8",
  alert: "M8 2l6.2 11.2H1.8zM8 6.4v3M8 11.4v.1",
  file: "M4 1.8h5l3 3v9.4H4zM9 1.8v3h3",
  key: "M10.6 2.4a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8.4 7.6L3 13v.9h2.2v-1.6h1.6v-1.6l1.5-1.5",
  chevron: "M6 3.5L10.5 8L6 12.5",
  back: "M10 3.5L5.5 8L10 12.5",
  keyboard: "M1.5 4h13v8h-13zM4 6.6h.1M6.6 6.6h.1M9.2 6.6h.1M11.9 6.6h.1M5 9.4h6",
  box: "M2.5 5L8 2l5.5 3v6L8 14l-5.5-3zM2.5 5L8 8l5.5-3M8 8v6",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2M8 4.8V8l2.2 1.6",
  braces:
    "M6 2.5c-2 0-1.5 2-1.5 3.2S4 8 2.8 8C4 8 4.5 9 4.5 10.3S4 13.5 6 13.5M10 2.5c2 0 1.5 2 1.5 3.2S12 8 13.2 8c-1.2 0-1.7 1-1.7 2.3s.5 3.2-1.5 3.2",
  code: "M5 4.5L1.8 8L5 11.5M11 4.5L14.2 8L11 11.5M9.2 3L6.8 13",
} as const;

/** The name of an icon. */
export type IconName = keyof typeof PATHS;

const FILLED = new Set<IconName>(["play", "stop"]);

/** One icon; what it means is said by the text or label beside it. */
export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class={FILLED.has(name) ? "icon icon-filled" : "icon"} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
