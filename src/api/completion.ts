/** Completion: what could stand at the cursor. */
import { Type, type Static } from "typebox";

export const CompleteRequest = Type.Object(
  {
    code: Type.String(),
    cursor_pos: Type.Integer({ minimum: 0, description: "In Unicode code points, as Jupyter and Python count" }),
  },
  { $id: "CompleteRequest", title: "CompleteRequest", additionalProperties: false },
);
export type CompleteRequest = Static<typeof CompleteRequest>;

export const CompleteResponse = Type.Object(
  {
    matches: Type.Array(Type.String(), { description: "Empty where the kernel is busy or not running" }),
    cursor_start: Type.Integer({ description: "Where the text begins that a match replaces, in code points" }),
    cursor_end: Type.Integer(),
  },
  { $id: "CompleteResponse", title: "CompleteResponse" },
);
export type CompleteResponse = Static<typeof CompleteResponse>;
