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
    executions: Type.Integer({ description: "Executions that run; each session runs one at a time" }),
    drains_for: Type.Optional(Type.Number({ description: "Seconds that the sessions of a server that drains live on at most" })),
    instance: Type.Optional(Type.String({ description: "This start of the server; another start has another" })),
    labels: Type.Optional(Type.Array(Type.String(), { description: "What sessions can require behind a gateway" })),
    kernels: Type.Optional(Type.Integer({ description: "Sessions with a kernel" })),
    max_sessions: Type.Optional(Type.Integer({ description: "Sessions that may have a kernel at one time" })),
    load: Type.Optional(Type.Number({ description: "Load of the last minute for each processor" })),
    memory_available_bytes: Type.Optional(Type.Integer({ description: "Memory that is left to the server and its kernels" })),
    memory_total_bytes: Type.Optional(Type.Integer({ description: "Memory of the machine, or what the container may use of it" })),
  },
  { $id: "Readiness", title: "Readiness" },
);
export type Readiness = Static<typeof Readiness>;
