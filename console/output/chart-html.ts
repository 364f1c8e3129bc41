/** Charts that are data (Plotly, Vega, Vega-Lite) as HTML for the frame, with the library that draws them; HTML that would load such a library from elsewhere. */

/** What draws charts; the server has a copy of each, see `scripts/build-console.mjs`. */
export type ChartLibrary = "plotly" | "vega";

/** The library for the data of a chart; null where there is none. */
export function libraryOf(mimeType: string): ChartLibrary | null {
  if (mimeType.startsWith("application/vnd.plotly.")) return "plotly";
  return /^application\/vnd\.vega(lite)?\./.test(mimeType) ? "vega" : null;
}

/** The library that HTML asks the network for, which the frame has not: Altair's charts do so, and Plotly's with `include_plotlyjs="cdn"`. */
export function libraryAskedBy(html: string): ChartLibrary | null {
  if (PLOTLY_SCRIPT.test(html)) return "plotly";
  return /https:\/\/cdn\.jsdelivr\.net\/npm\/+vega@/.test(html) ? "vega" : null;
}

/**
 * A chart as HTML.
 * @param json The chart's data, as it was displayed.
 * @param library The library's source.
 */
export function chartHtml(mimeType: string, json: string, library: string): string {
  const draw = libraryOf(mimeType) === "plotly" ? DRAW_PLOTLY : DRAW_VEGA;
  return `<div id="chart"></div>${script(library)}${script(`const chart = ${json};\n${draw}`)}`;
}

/** HTML with the library in it that it would load. */
export function withLibrary(html: string, source: string): string {
  if (PLOTLY_SCRIPT.test(html)) return html.replace(PLOTLY_SCRIPT, () => script(source));
  // Altair's page asks a module loader first, where there is one.
  return `${script(source)}${script(MODULE_LOADER)}${html}`;
}

/** No text of the data or the library may end the element. */
function script(source: string): string {
  return `<script>${source.replaceAll(/<(?=\/script|!--|script)/gi, "\\x3c")}</script>`;
}

const PLOTLY_SCRIPT = /<script[^>]* src="https:\/\/cdn\.plot\.ly\/plotly-[^"]*"[^>]*><\/script>/i;

const SAY_WHY = `.catch((error) => { document.getElementById("chart").textContent = "The chart cannot be drawn: " + error.message; });`;

const DRAW_PLOTLY = `
new Promise((resolve) => resolve(Plotly.newPlot("chart", chart.data, chart.layout, { responsive: true, displaylogo: false, ...chart.config })))
  .then(() => chart.frames && Plotly.addFrames("chart", chart.frames))${SAY_WHY}`;

const DRAW_VEGA = `vegaEmbed("#chart", chart, { actions: false, renderer: "svg" })${SAY_WHY}`;

const MODULE_LOADER = `
const define = Object.assign(() => undefined, { amd: {} });
const requirejs = { config: () => undefined };
const require = (names, done) => done(vegaEmbed);`;
