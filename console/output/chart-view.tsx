/** Shows what a library draws: charts that are data, and HTML that would load such a library from elsewhere. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type ChartLibrary, chartHtml, libraryAskedBy, libraryOf, withLibrary } from "./chart-html.ts";
import { chartLibrary } from "./chart-library.ts";
import { HtmlFrame } from "./html-frame.tsx";

/** As high as Plotly draws where nobody says; a page that grows under the reader's eyes is a nuisance. */
const CHART_HEIGHT = 450;

interface ChartViewProps {
  mimeType: string;
  /** The chart's data. */
  json: string;
  label: string;
  /** Shown instead where the library cannot be had. */
  fallback: ComponentChildren;
}

/** A chart that is data. */
export function ChartView({ mimeType, json, label, fallback }: ChartViewProps): JSX.Element {
  const library = useLibrary(libraryOf(mimeType));
  if (library === "") return <>{fallback}</>;
  if (library === null) return <div class="skeleton" />;
  return <HtmlFrame html={chartHtml(mimeType, json, library)} label={label} height={CHART_HEIGHT} />;
}

/** HTML of the code's making, drawn without the network. */
export function HtmlView({ html, label }: { html: string; label: string }): JSX.Element {
  const asked = libraryAskedBy(html);
  const library = useLibrary(asked);
  if (asked === null || library === "") return <HtmlFrame html={html} label={label} />;
  return library === null ? <div class="skeleton" /> : <HtmlFrame html={withLibrary(html, library)} label={label} />;
}

/** The source of a library; null until it is there, empty where it cannot be had. */
function useLibrary(name: ChartLibrary | null): string | null {
  const [source, setSource] = useState<string | null>(null);
  useEffect(() => {
    let isOver = false;
    const tell = (text: string): void => {
      if (!isOver) setSource(text);
    };
    if (name !== null) chartLibrary(name).then(tell, () => tell(""));
    return () => {
      isOver = true;
    };
  }, [name]);
  return source;
}
