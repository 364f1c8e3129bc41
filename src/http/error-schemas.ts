/** The error responses of a route, for the OpenAPI document. */
import { Type } from "typebox";

const ALWAYS = [401, 403, 422];

/** Response schemas for error statuses; those that every route with a key has come by themselves. */
export function errors(...statuses: number[]): Record<number, unknown> {
  return Object.fromEntries([...ALWAYS, ...statuses].map((status) => [status, Type.Ref("Error#")]));
}
