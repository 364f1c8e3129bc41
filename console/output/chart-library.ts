/** The sources of the libraries that draw charts: large, so that they are only fetched where there is a chart, and once. */
import type { ChartLibrary } from "./chart-html.ts";

const sources = new Map<ChartLibrary, Promise<string>>();

/** Fetches a library's source from the server. Rejects where it cannot be had; another call tries again. */
export function chartLibrary(name: ChartLibrary): Promise<string> {
  const known = sources.get(name);
  if (known !== undefined) return known;
  const source = fetch(`charts/${name}.js`).then((answer) => {
    if (!answer.ok) throw new Error(`The server has no ${name}.js.`);
    return answer.text();
  });
  sources.set(name, source);
  source.catch(() => sources.delete(name));
  return source;
}
