/** Claims: which executor holds a session, kept by the executors for the gateways before them. */
import { Type, type Static } from "typebox";
import { SessionId } from "./ids.ts";
import { nullable, optional } from "./optional.ts";

/** An executor by its start, as `instance` of `/ready` says it. */
const Instance = Type.String({ minLength: 1, maxLength: 64, description: "The executor, as `instance` of its /ready" });

export const ClaimParams = Type.Object({ session_id: SessionId });

export const ClaimRequest = Type.Object(
  {
    executor: Instance,
    replaces: optional(Type.String({ maxLength: 64, description: "The claim is taken over only where it is this executor's" })),
  },
  { $id: "ClaimRequest", title: "ClaimRequest", additionalProperties: false },
);
export type ClaimRequest = Static<typeof ClaimRequest>;

export const Claim = Type.Object(
  {
    session_id: Type.String({ description: "The session's own id, also where it was asked for by its kernel's" }),
    executor: nullable(Type.String({ description: "Who holds the session, or is to; null where nobody has said so" })),
    is_held: Type.Boolean({ description: "Whether the executor that answers holds the session itself" }),
  },
  { $id: "Claim", title: "Claim" },
);
export type Claim = Static<typeof Claim>;

export const ClaimList = Type.Object(
  { executor: Instance, sessions: Type.Array(SessionId, { description: "All that the executor holds" }) },
  { $id: "ClaimList", title: "ClaimList", additionalProperties: false },
);
export type ClaimList = Static<typeof ClaimList>;

/** What a gateway writes down at an executor: who holds which sessions. */
export const ClaimLists = Type.Object(
  { claims: Type.Array(Type.Ref("ClaimList#")) },
  { $id: "ClaimLists", title: "ClaimLists", additionalProperties: false },
);
export type ClaimLists = { claims: ClaimList[] };

export const ClaimQuery = Type.Object({ executor: Instance });
