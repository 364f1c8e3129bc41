/** Health: answers without a key. */
import { Type, type Static } from "typebox";

export const Health = Type.Object(
  { status: Type.Literal("healthy"), version: Type.String(), active_sessions: Type.Integer() },
  { $id: "Health", title: "Health" },
);
export type Health = Static<typeof Health>;

export const Readiness = Type.Object(
  {
    status: Type.Union([Type.Literal("ready"), Type.Literal("starting"), Type.Literal("draining")]),
    sessions: Type.Integer({ description: "Sessions that the server holds" }),
    executions: Type.Integer({ description: "Sessions with an execution that runs or waits" }),
  },
  { $id: "Readiness", title: "Readiness" },
);
export type Readiness = Static<typeof Readiness>;
