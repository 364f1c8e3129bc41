/** The output of a cell, in the order it came. */
import type { JSX } from "preact";
import type { ExecutionResult } from "../../src/client/index.ts";
import { ArtifactView } from "../output/artifact-view.tsx";
import { ErrorView } from "../output/error-view.tsx";
import { TerminalView } from "../output/terminal-view.tsx";
import { ValueView } from "../output/value-view.tsx";
import { saveFile } from "../ui/save-file.ts";
import type { Cell } from "./cell.ts";
import { InputForm } from "./input-form.tsx";
import type { Run } from "./run.ts";
import type { SessionModel } from "./session-model.ts";

interface CellOutputProps {
  cell: Cell;
  model: SessionModel;
  onLine: (line: number) => void;
}

/** Nothing where there is none. */
export function CellOutput({ cell, model, onLine }: CellOutputProps): JSX.Element | null {
  const { run, version } = cell.view.value;
  if (run === null) return null;
  const { result } = run;
  const error = result?.error ?? null;
  const hasLog = result !== null && result.log.length > 0;
  const value = result !== null && hasValue(result) ? <ValueView result={result} /> : null;
  if (run.parts.length === 0 && run.question === null && value === null && !hasLog && error === null) return null;
  return (
    <div class="cell-output">
      {run.parts.map((part) =>
        part.kind === "text" ? (
          <TerminalView key={part.id} text={part.text} version={version} onSaveAll={saverOf(run)} />
        ) : (
          <ArtifactView key={part.id} artifact={part.artifact} files={model.files} />
        ),
      )}
      {run.question !== null && <InputForm question={run.question} onAnswer={(text) => model.answer(cell, text)} />}
      {hasLog && <Log entries={result.log} />}
      {value}
      {error !== null && (
        <ErrorView error={error} isAsked={result?.reason === "interrupted" || result?.reason === "cancelled"} onLine={onLine} />
      )}
    </div>
  );
}

function Log({ entries }: { entries: ExecutionResult["log"] }): JSX.Element {
  return (
    <ul class="plugin-log" aria-label="Log of plugins">
      {entries.map(([level, tag, message], index) => (
        <li key={index} class={`log-${level}`}>
          <span class="log-tag">{tag}</span> {message}
        </li>
      ))}
    </ul>
  );
}

/** A value whose rich form is shown already needs no text beside it. */
function hasValue(result: ExecutionResult): boolean {
  if (result.output === "" && (result.output_text ?? null) === null) return false;
  return !result.artifact.some((artifact) => artifact.preview !== "" && artifact.preview === result.output);
}

function saverOf(run: Run): (() => void) | undefined {
  const { result } = run;
  if (result === null) return undefined;
  return () => saveFile(new Blob([...result.stdout, ...result.stderr], { type: "text/plain" }), `${run.executionId}-output.txt`);
}
