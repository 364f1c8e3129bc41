/** Shows terminal text; only lines that changed are touched, and who reads the end goes on seeing the end. */
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import type { TerminalLine, TerminalText } from "./terminal-text.ts";

interface TerminalViewProps {
  text: TerminalText;
  /** Changes whenever the text may have. */
  version: number;
  /** Saves all that was written; undefined where that cannot be had yet. */
  onSaveAll: (() => void) | undefined;
}

/** How near the end counts as reading the end. */
const END_PIXELS = 24;

/** A block of text. */
export function TerminalView({ text, version, onSaveAll }: TerminalViewProps): JSX.Element {
  const element = useRef<HTMLPreElement>(null);
  const shownText = useRef<TerminalText | null>(null);
  const shownDropped = useRef(0);

  useLayoutEffect(() => {
    const pre = element.current;
    if (pre === null) return;
    const isAtEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < END_PIXELS;
    const changed = text.takeFirstChanged();
    const isSame = shownText.current === text;
    if (isSame) dropFirst(pre, text.droppedLines - shownDropped.current);
    update(pre, text.lines, isSame ? changed : 0);
    shownText.current = text;
    shownDropped.current = text.droppedLines;
    if (isAtEnd) pre.scrollTop = pre.scrollHeight;
  }, [text, version]);

  const missing = [
    text.droppedLines > 0 ? `${text.droppedLines.toLocaleString("en")} earlier lines are not shown.` : "",
    text.droppedCharacters > 0 ? `Of very long lines ${text.droppedCharacters.toLocaleString("en")} characters are not shown.` : "",
  ].join(" ");
  return (
    <div class="terminal">
      {missing.trim() !== "" && (
        <p class="terminal-missing">
          {missing}
          {onSaveAll !== undefined && (
            <Button kind="quiet" icon="download" onClick={onSaveAll}>
              Save all output
            </Button>
          )}
        </p>
      )}
      {/* Scrolled by keys, too. */}
      <pre ref={element} class="terminal-text" tabIndex={0} role="log" aria-live="off" aria-label="Output" />
    </div>
  );
}

/** Takes away what the text has dropped at its top; building the rest anew would cost all of its lines for each new one. */
function dropFirst(pre: HTMLElement, count: number): void {
  if (count >= pre.childElementCount) return pre.replaceChildren();
  for (let index = 0; index < count; index += 1) pre.firstElementChild?.remove();
}

/** Makes the element's children the lines, from the first changed one on. */
function update(pre: HTMLElement, lines: readonly TerminalLine[], firstChanged: number): void {
  // The empty line behind the last line feed is the cursor's, not the reader's.
  const count = lines.at(-1)?.length === 0 ? lines.length - 1 : lines.length;
  while (pre.childElementCount > Math.max(0, Math.min(firstChanged, count))) pre.lastElementChild?.remove();
  const fresh = document.createDocumentFragment();
  for (const line of lines.slice(pre.childElementCount, count)) fresh.append(lineElement(line));
  pre.append(fresh);
}

function lineElement(line: TerminalLine): HTMLElement {
  const element = document.createElement("div");
  for (const { text, style } of line.segments) {
    if (style.source === "stdout" && style.classes === "" && style.color === null && style.background === null) {
      element.append(text);
      continue;
    }
    const piece = document.createElement("span");
    piece.className = `t-${style.source} ${style.classes}`;
    if (style.color !== null) piece.style.color = style.color;
    if (style.background !== null) piece.style.backgroundColor = style.background;
    piece.append(text);
    element.append(piece);
  }
  // A line without text has no height of its own.
  if (line.length === 0) element.append("\n");
  return element;
}
