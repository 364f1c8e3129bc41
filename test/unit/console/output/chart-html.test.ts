/** Charts as HTML: which library draws what, and that no data can end the script that holds it. */
import { expect, test } from "vitest";
import { chartHtml, libraryAskedBy, libraryOf, withLibrary } from "../../../../console/output/chart-html.ts";

test.each([
  ["application/vnd.plotly.v1+json", "plotly"],
  ["application/vnd.vega.v5+json", "vega"],
  ["application/vnd.vegalite.v6.json", "vega"],
  ["application/geo+json", null],
  ["application/vnd.bokehjs_exec.v0+json", null],
])("%s is drawn by %s", (mimeType, library) => {
  expect(libraryOf(mimeType)).toBe(library);
});

test("HTML that would load a library gets it in place, other HTML asks for none", () => {
  const plotly = '<p>before</p><script charset="utf-8" src="https://cdn.plot.ly/plotly-3.0.0.min.js" integrity="x"></script><p>after</p>';
  expect(libraryAskedBy(plotly)).toBe("plotly");
  expect(withLibrary(plotly, "LIBRARY $&")).toBe("<p>before</p><script>LIBRARY $&</script><p>after</p>");
  const altair = '<script>const paths = { "vega": "https://cdn.jsdelivr.net/npm/vega@6?noext" };</script>';
  expect(libraryAskedBy(altair)).toBe("vega");
  expect(withLibrary(altair, "LIBRARY")).toMatch(/^<script>LIBRARY<\/script><script>[^]*require[^]*<\/script><script>const paths/);
  expect(libraryAskedBy('<script src="https://example.org/a.js"></script> plotly')).toBeNull();
});

test("no text of the data ends the script", () => {
  const html = chartHtml("application/vnd.plotly.v1+json", JSON.stringify({ title: "</SCRIPT><!--<script>" }), "");
  expect(html.match(/<\/?script/gi)).toEqual(["<script", "</script", "<script", "</script"]);
  expect(html).not.toContain("<!--");
});
