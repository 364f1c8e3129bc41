/** How this contract writes optional fields: absent or null mean the same. */
import { Type, type Static, type TOptional, type TSchema, type TUnsafe } from "typebox";

/** A field that may be absent or null; `schema` must have a single JSON Schema `type`. */
export function optional<T extends TSchema & { type?: string; enum?: unknown[] }>(schema: T): TOptional<TUnsafe<Static<T> | null>> {
  const nullable = { ...schema, type: [schema.type, "null"], ...(schema.enum === undefined ? {} : { enum: [...schema.enum, null] }) };
  return Type.Optional(Type.Unsafe<Static<T> | null>(nullable));
}

/** A string out of a fixed list. */
export function oneOf<const T extends string>(values: readonly T[], description: string): TUnsafe<T> & { type: string; enum: T[] } {
  return Type.Unsafe<T>({ type: "string", enum: [...values], description }) as TUnsafe<T> & { type: string; enum: T[] };
}

/** A response field that is always there and may be null. */
export function nullable<T extends TSchema>(schema: T, description?: string): TUnsafe<Static<T> | null> {
  return Type.Unsafe<Static<T> | null>({ anyOf: [schema, { type: "null" }], ...(description === undefined ? {} : { description }) });
}
