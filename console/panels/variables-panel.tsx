/** The user's variables, as the last execution left them. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { SessionModel } from "../notebook/session-model.ts";

/** From this many on there is a field to filter them. */
const FILTER_FROM = 12;

/** A list of names and values. */
export function VariablesPanel({ model }: { model: SessionModel }): JSX.Element {
  const [filter, setFilter] = useState("");
  const variables = model.variables.value;
  if (variables === null || variables.length === 0) {
    return (
      <div class="panel-empty">
        <p>No variables</p>
        <p class="muted">
          {model.info.value?.status === "stopped"
            ? "The kernel has ended, and its variables with it. The next execution starts a fresh one."
            : "What your code assigns shows here after each run."}
        </p>
      </div>
    );
  }
  const shown = variables.filter(([name]) => name.toLowerCase().includes(filter.trim().toLowerCase()));
  return (
    <>
      {variables.length >= FILTER_FROM && (
        <input
          type="search"
          class="filter"
          placeholder={`Filter ${variables.length} variables`}
          aria-label="Filter variables by name"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      <ul class="variables" aria-label="Variables">
        {shown.map(([name, text]) => (
          <li key={name}>
            <details>
              <summary>
                <span class="variable-name">{name}</span>
                <span class="variable-text">{text.trimStart().split("\n", 1)[0]}</span>
              </summary>
              <pre tabIndex={0}>{text}</pre>
            </details>
          </li>
        ))}
      </ul>
    </>
  );
}
