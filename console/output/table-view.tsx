/** Shows a table. */
import type { JSX } from "preact";
import { isNumeric, type Table } from "./table.ts";

/** @param label What screen readers call it. */
export function TableView({ table, label }: { table: Table; label: string }): JSX.Element {
  const { header, rows, labelColumns, note } = table;
  const classes = header.map((_, column) => (column >= labelColumns && isNumeric(table, column) ? "number" : ""));
  return (
    <figure class="table-output">
      <div class="table-scroll" tabIndex={0} role="group" aria-label={label}>
        <table>
          <thead>
            <tr>
              {header.map((name, column) => (
                <th key={column} scope="col" class={classes[column]}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={index}>
                {header.map((_, column) =>
                  column < labelColumns ? (
                    <th key={column} scope="row">
                      {row[column] ?? ""}
                    </th>
                  ) : (
                    <td key={column} class={classes[column]}>
                      {row[column] ?? ""}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {note !== "" && <figcaption>{note}</figcaption>}
    </figure>
  );
}
