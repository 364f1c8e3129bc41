/** `/docs`: the API page, Swagger UI over our own `/openapi.json`, served from here alone. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import send from "@fastify/send";
import type { FastifyInstance, FastifyReply } from "fastify";
import { AppError } from "../errors.ts";
import { DOCS_PAGE, DOCS_SCRIPT, DOCS_STYLE } from "./docs-page.ts";

/** The packaged files that the page loads. */
const PACKAGED = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"];

/** Nothing from elsewhere, nothing inline, in no frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * Registers the page. It says nothing of this server and answers anyone; the document that it shows needs a key wherever other requests need one,
 * and the page then asks for it.
 */
export function registerDocs(app: FastifyInstance): void {
  const options = { config: { public: true }, schema: { hide: true } };
  app.get("/docs", options, (_request, reply) => own(reply, "text/html", DOCS_PAGE));
  app.get("/docs/", options, (_request, reply) => reply.redirect("../docs"));
  app.get("/docs/page.js", options, (_request, reply) => own(reply, "text/javascript", DOCS_SCRIPT));
  app.get("/docs/page.css", options, (_request, reply) => own(reply, "text/css", DOCS_STYLE));
  const root = join(dirname(createRequire(import.meta.url).resolve("@fastify/swagger-ui")), "static");
  for (const name of PACKAGED) {
    app.get(`/docs/${name}`, options, async (request, reply) => {
      const { statusCode, headers, stream, type } = await send(request.raw, `/${name}`, { root, maxAge: "1h" });
      if (type === "error") throw new AppError("not_found");
      return reply.status(statusCode).headers(headers).send(stream);
    });
  }
}

function own(reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply
    .type(`${type}; charset=utf-8`)
    .header("content-security-policy", CONTENT_SECURITY_POLICY)
    .header("referrer-policy", "no-referrer")
    .header("cache-control", "no-cache")
    .send(text);
}
