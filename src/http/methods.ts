/** Which methods a path takes, and what the others are answered. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../errors.ts";

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** A known path with another method answers 405 and says which it takes (RFC 9110, 15.5.6). */
export function collectMethods(app: FastifyInstance): () => void {
  const taken = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method, schema }) => {
    if (schema?.hide === true) return;
    const methods = taken.get(url) ?? new Set<string>();
    for (const one of [method].flat()) methods.add(one);
    taken.set(url, methods);
  });
  return () => {
    for (const [url, methods] of taken) {
      const others = METHODS.filter((method) => !methods.has(method));
      app.route({
        method: others,
        url,
        schema: { hide: true },
        handler: async (_request, reply) => {
          reply.header("allow", [...methods].join(", "));
          throw new AppError("method_not_allowed");
        },
      });
    }
  };
}
