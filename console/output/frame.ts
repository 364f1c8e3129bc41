/** Runs in the frame that shows HTML of the code's making: an origin of its own, no network, nothing of the page in reach. */

interface FrameContent {
  html: string;
  isDark: boolean;
}

addEventListener("message", (event: MessageEvent<FrameContent>) => {
  if (event.source !== parent) return;
  const { html, isDark } = event.data;
  document.open();
  // Deprecated, but the one way to have the scripts of a text run in their order.
  // oxlint-disable-next-line typescript/no-deprecated
  document.write(`<!doctype html><meta charset="utf-8"><style>${styleOf(isDark)}</style>${html}`);
  document.close();
  const report = (): void => {
    // An opaque origin has no name to send to; the height is no secret.
    parent.postMessage({ height: Math.ceil(document.documentElement.getBoundingClientRect().height) }, "*");
  };
  new ResizeObserver(report).observe(document.documentElement);
  report();
});

parent.postMessage({ isReady: true }, "*");

function styleOf(isDark: boolean): string {
  const [text, line, head] = isDark ? ["#e8e8ec", "#34343c", "#26262c"] : ["#1f1d1a", "#e4e1dc", "#f5f3f0"];
  return `
    :root { color-scheme: ${isDark ? "dark" : "light"}; }
    html { overflow-x: auto; }
    body { margin: 0; padding: 2px; color: ${text}; font: 14px/1.5 ui-sans-serif, system-ui, sans-serif; }
    table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
    table.dataframe, table.dataframe td, table.dataframe th { border: 0; }
    th, td { padding: 4px 10px; text-align: right; }
    th { font-weight: 600; }
    thead th { border-bottom: 1px solid ${line}; }
    tbody tr:nth-child(even) { background: ${head}; }
    img, svg, video { max-width: 100%; }
    a { color: inherit; }`;
}
