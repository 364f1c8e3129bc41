/** A session as a notebook. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { Notebook, NotebookQuery, SessionParams } from "../../api/index.ts";
import { notebookText } from "../../session/notebook.ts";
import type { HttpContext } from "../context.ts";
import { errors, ref } from "../route-schemas.ts";

/** `/sessions/{session_id}/notebook`. */
export function notebookRoutes(app: FastifyInstance, { sessions }: HttpContext): void {
  app.get<{ Params: { session_id: string }; Querystring: NotebookQuery }>(
    "/sessions/:session_id/notebook",
    {
      schema: {
        summary: "The session so far as a notebook",
        description: "One code cell for each execution that has started, with its outputs. nbformat 4.5; runs again with nbclient.",
        tags: ["sessions"],
        params: SessionParams,
        querystring: NotebookQuery,
        response: { 200: { content: { "application/x-ipynb+json": { schema: ref(Notebook) } } }, ...errors(404) },
      },
    },
    async (request, reply) => {
      const session = sessions.get(request.params.session_id);
      session.touch();
      const { download } = request.query;
      const disposition = download === "1" || download === "true" ? "attachment" : "inline";
      return reply
        .type("application/x-ipynb+json; charset=utf-8")
        .header("content-disposition", `${disposition}; filename="${session.id}.ipynb"`)
        .header("cache-control", "no-store")
        .send(Readable.from(notebookText(session), { objectMode: false }));
    },
  );
}
