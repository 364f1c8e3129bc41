/** An error: what it says, where in the cell, and the traceback. */
import type { JSX } from "preact";
import { readError } from "./traceback.ts";

interface ErrorViewProps {
  error: string;
  /** Whether it is the end that somebody asked for. */
  isAsked: boolean;
  /** Somebody wants to see a line of the cell, from 1. */
  onLine: (line: number) => void;
}

/** Longer tracebacks are folded. */
const OPEN_LINES = 24;

/** The error of an execution. */
export function ErrorView({ error, isAsked, onLine }: ErrorViewProps): JSX.Element {
  const { name, message, cellLines, lines } = readError(error);
  const innermost = cellLines.at(-1);
  return (
    <div class={isAsked ? "error error-asked" : "error"}>
      <p class="error-head">
        {name !== null && <strong>{name}</strong>}
        {name !== null && message !== "" && ": "}
        <span class="error-message">{message}</span>
      </p>
      {innermost !== undefined && (
        <p class="error-where">
          {cellLines.map((line, index) => (
            <span key={line}>
              {index > 0 && <span class="faint"> → </span>}
              <button type="button" class="line-link" onClick={() => onLine(line)}>
                line {line}
              </button>
            </span>
          ))}
        </p>
      )}
      {lines.length > 1 && (
        <details class="traceback" open={!isAsked && lines.length <= OPEN_LINES}>
          <summary>Traceback</summary>
          <pre tabIndex={0} aria-label="Traceback">
            {lines.map(({ text, cellLine }, index) => (
              <div key={index} class={/^\s*-+> \d/.test(text) ? "traceback-here" : ""}>
                {cellLine === null ? (
                  text === "" ? (
                    "\n"
                  ) : (
                    text
                  )
                ) : (
                  <button type="button" class="line-link" onClick={() => onLine(cellLine)}>
                    {text}
                  </button>
                )}
              </div>
            ))}
          </pre>
        </details>
      )}
    </div>
  );
}
