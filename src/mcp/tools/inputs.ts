/**
 * What the inputs of tools have in common. They are read by models' services, too, some of which know only the plainer part of JSON Schema: no lookaheads,
 * no patternProperties. The server checks the rest.
 */
import { Type, type Static, type TSchema, type TUnsafe } from "typebox";
import { SessionId } from "../../api/index.ts";

/** `session_id`, of tools that have a session to fall back on. */
export const session_id = Type.Optional(Type.Unsafe<string>({ ...SessionId, description: "By default the session of this conversation" }));

/** The name of a plugin. */
export const pluginName = Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_]*$", maxLength: 128, description: "A Python identifier" });

/** An object with values of one kind. */
export function record<Value extends TSchema>(values: Value, description: string): TUnsafe<Record<string, Static<Value>>> {
  return Type.Unsafe({ type: "object", additionalProperties: values, description });
}
