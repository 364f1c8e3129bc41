/** A session as a notebook: nbformat 4.5, as Jupyter reads it. */
import { Type, type Static } from "typebox";
import { nullable, oneOf } from "./optional.ts";

/** Query of the export. */
export const NotebookQuery = Type.Object({
  download: Type.Optional(oneOf(["1", "0", "true", "false"], "Whether browsers save the notebook instead of showing it")),
});
export type NotebookQuery = Static<typeof NotebookQuery>;

const NotebookCell = Type.Object({
  id: Type.String(),
  cell_type: Type.Literal("code"),
  execution_count: nullable(Type.Integer()),
  metadata: Type.Object({}, { additionalProperties: true }),
  source: Type.String(),
  outputs: Type.Array(
    Type.Object(
      { output_type: oneOf(["stream", "display_data", "execute_result", "error"], "What the output is") },
      { additionalProperties: true },
    ),
  ),
});

/** @see https://nbformat.readthedocs.io/en/latest/format_description.html */
export const Notebook = Type.Object(
  {
    nbformat: Type.Literal(4),
    nbformat_minor: Type.Literal(5),
    metadata: Type.Object({}, { additionalProperties: true }),
    cells: Type.Array(NotebookCell),
  },
  { $id: "Notebook", title: "Notebook" },
);
export type Notebook = Static<typeof Notebook>;
