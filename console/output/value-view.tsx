/** Shows the value of an execution's last expression. */
import type { JSX } from "preact";
import { outputText, type ExecutionResult } from "../../src/client/index.ts";
import { parseFrameText } from "./table.ts";
import { TableView } from "./table-view.tsx";

/** Longer texts are shown in part; a page cannot hold everything. */
const MOST_CHARACTERS = 100_000;

/** A value as Python writes it, strings with their quotes; nothing where there is none. */
export function ValueView({ result }: { result: ExecutionResult }): JSX.Element | null {
  const text = result.output_text ?? outputText(result);
  return text === null ? null : <TextView text={text} label="Value" />;
}

/** A text; a data frame's is shown as the table it is. */
export function TextView({ text, label }: { text: string; label: string }): JSX.Element {
  const table = parseFrameText(text);
  if (table !== null) return <TableView table={table} label={label} />;
  const isCut = text.length > MOST_CHARACTERS;
  return (
    <pre class="value" tabIndex={0} aria-label={label}>
      {isCut ? `${text.slice(0, MOST_CHARACTERS)}\n… ${(text.length - MOST_CHARACTERS).toLocaleString("en")} more characters` : text}
    </pre>
  );
}
