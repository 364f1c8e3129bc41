/** Claims: which executor holds a session, kept by the executors for the gateways before them. */
import { Type, type Static } from "typebox";
import { SessionId } from "./ids.ts";
import { nullable, optional } from "./optional.ts";

/** An executor by its start, as `instance` of `/ready` says it. */
const Instance = Type.String({ minLength: 1, maxLength: 64, description: "The executor, as `instance` of its /ready" });

/** Where gateways reach an executor. An engine may take one that drains out of DNS; a gateway that starts then knows it from here alone. */
const ExecutorAt = Type.Object(
  {
    origin: Type.String({ pattern: "^https?://[^/?#@]{1,300}$", description: "E.g. http://10.0.0.7:8000" }),
    server_name: optional(Type.String({ maxLength: 253, description: "The name on its certificate, where the origin has none" })),
    is_draining: optional(Type.Boolean({ description: "Whether it is about to end, and may be in nobody's list any more" })),
  },
  { additionalProperties: false, description: "Where gateways reach the executor" },
);
export type ExecutorAt = Static<typeof ExecutorAt>;

export const ClaimParams = Type.Object({ session_id: SessionId });

export const ClaimRequest = Type.Object(
  {
    executor: Instance,
    at: optional(ExecutorAt),
    replaces: optional(Type.String({ maxLength: 64, description: "The claim is taken over only where it is this executor's" })),
  },
  { $id: "ClaimRequest", title: "ClaimRequest", additionalProperties: false },
);
export type ClaimRequest = Static<typeof ClaimRequest>;

export const Claim = Type.Object(
  {
    session_id: Type.String({ description: "The session's own id, also where it was asked for by its kernel's" }),
    executor: nullable(Type.String({ description: "Who holds the session, or is to; null where nobody has said so" })),
    at: optional(ExecutorAt),
    is_held: Type.Boolean({ description: "Whether the executor that answers holds the session itself" }),
  },
  { $id: "Claim", title: "Claim" },
);
export type Claim = Static<typeof Claim>;

export const ClaimList = Type.Object(
  { executor: Instance, at: optional(ExecutorAt), sessions: Type.Array(SessionId, { description: "All that the executor holds" }) },
  { $id: "ClaimList", title: "ClaimList", additionalProperties: false },
);
export type ClaimList = Static<typeof ClaimList>;

/** What a gateway asks an executor for: its sessions, and the executors about to end that it was told of. */
export const HeldSessions = Type.Object(
  {
    executor: Instance,
    sessions: Type.Array(SessionId, { description: "All that the executor holds" }),
    draining: Type.Array(Type.Object({ executor: Instance, at: ExecutorAt }), { description: "Others that were about to end" }),
  },
  { $id: "HeldSessions", title: "HeldSessions" },
);
export type HeldSessions = Static<typeof HeldSessions>;

/** What a gateway writes down at an executor: who holds which sessions. */
export const ClaimLists = Type.Object(
  { claims: Type.Array(Type.Ref("ClaimList#")) },
  { $id: "ClaimLists", title: "ClaimLists", additionalProperties: false },
);
export type ClaimLists = { claims: ClaimList[] };

export const ClaimQuery = Type.Object({ executor: Instance });
