/** How routes name the contract's schemas, so that the OpenAPI document names each once. */
import { Type, type TSchema } from "typebox";

/** Errors that every route with a key may answer with; the last while the server starts or is about to end. */
const ALWAYS = [401, 403, 422, 503];

/** Errors of what a stopped session has to get a kernel for: there are too many, or it does not start. */
export const STARTS_KERNEL = [429, 500];

/** A named schema by its name. */
export function ref(schema: TSchema & { $id?: string }): TSchema {
  if (schema.$id === undefined) throw new TypeError("only a named schema can be referred to");
  return Type.Ref(`${schema.$id}#`);
}

/** A response that is no JSON of a schema: text or bytes of this media type. */
export function raw(mediaType: string, description: string): object {
  return { description, content: { [mediaType]: { schema: Type.String() } } };
}

/** A response that is a stream of events; as OpenAPI has it, the schema is that of each one. */
export function eventStream(schema: TSchema & { $id?: string }, description: string): object {
  return { description, content: { "text/event-stream": { schema: ref(schema) } } };
}

/** Response schemas for error statuses, with those that every route has. */
export function errors(...statuses: number[]): Record<number, TSchema> {
  return Object.fromEntries([...ALWAYS, ...statuses].map((status) => [status, Type.Ref("Error#")]));
}
