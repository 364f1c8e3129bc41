/** Leases: a client's hold on a server that a client started. */
import { Type, type Static } from "typebox";
import { SessionId } from "./ids.ts";

export const LeaseParams = Type.Object({ lease_id: SessionId });

export const LeaseRequest = Type.Object(
  { seconds: Type.Number({ exclusiveMinimum: 0, maximum: 86_400, description: "How long the lease holds from now on" }) },
  { $id: "LeaseRequest", title: "LeaseRequest", additionalProperties: false },
);
export type LeaseRequest = Static<typeof LeaseRequest>;

export const Lease = Type.Object({ lease_id: Type.String(), seconds: Type.Number() }, { $id: "Lease", title: "Lease" });
export type Lease = Static<typeof Lease>;
