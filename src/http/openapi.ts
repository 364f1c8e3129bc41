/** `/openapi.json`: OpenAPI 3.1 from the same schemas that validate. */
import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import type { TSchema } from "typebox";
import * as api from "../api/index.ts";

/** Registers the named schemas and the document; call before the routes. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  for (const schema of Object.values(api)) if (isNamed(schema)) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "TaskWeaver Executor", description: "Runs an agent's Python in stateful Jupyter kernels.", version },
      components: {
        securitySchemes: {
          apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
          bearer: { type: "http", scheme: "bearer" },
        },
      },
      security: [{ apiKey: [] }, { bearer: [] }, {}],
    },
    transform: ({ schema, url }) => nameWildcard(schema as RouteSchema | undefined, url),
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => (typeof json["$id"] === "string" ? json["$id"] : `schema${index}`),
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}

interface RouteSchema {
  params?: { properties: Record<string, unknown>; required: string[] };
}

/** A path's rest is `*` to the router; readers of the document need a name for it. */
function nameWildcard(schema: RouteSchema | undefined, url: string): { schema: RouteSchema; url: string } {
  const { params } = schema ?? {};
  if (params === undefined || !url.endsWith("/*")) return { schema: schema ?? {}, url };
  const name = url.endsWith("/artifacts/*") ? "filename" : "path";
  const { "*": rest, ...properties } = params.properties;
  const required = params.required.map((one) => (one === "*" ? name : one));
  return {
    schema: { ...schema, params: { ...params, properties: { ...properties, [name]: rest }, required } },
    url: url.replace("*", `:${name}`),
  };
}

function isNamed(value: unknown): value is TSchema & { $id: string } {
  return typeof value === "object" && value !== null && typeof (value as { $id?: unknown }).$id === "string";
}
