/** Which methods a path takes, and what the others are answered. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";

/** What pages of other origins may be allowed to use. */
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
      const refuse = async (_request: FastifyRequest, reply: FastifyReply): Promise<never> => {
        reply.header("allow", [...methods].join(", "));
        throw new AppError("method_not_allowed");
      };
      const others = app.supportedMethods.filter((method) => !methods.has(method));
      // Before the body is looked at: whatever is wrong with it matters to nobody.
      app.route({ method: others, url, schema: { hide: true }, onRequest: refuse, handler: refuse });
    }
  };
}
