/** The body of every error response. */
import { Type, type Static } from "typebox";

/** `detail` is always one sentence; `errors` comes with status 422. */
export const ErrorBody = Type.Object(
  {
    detail: Type.String({ description: "One sentence a person can act on" }),
    code: Type.String({ description: "A code from docs/errors.md" }),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  },
  { $id: "Error", title: "Error" },
);
export type ErrorBody = Static<typeof ErrorBody>;
