/** Health: answers without a key. */
import { Type, type Static } from "typebox";

export const Health = Type.Object(
  { status: Type.Literal("healthy"), version: Type.String(), active_sessions: Type.Integer() },
  { $id: "Health", title: "Health" },
);
export type Health = Static<typeof Health>;
