/** `/api/sessions`: Jupyter's word for a document that uses a kernel. Every kernel has one; clients may add documents of theirs. */
import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import type { Session } from "../../session/session.ts";
import { kernelIdOf } from "./kernel-id.ts";
import type { KernelManager } from "./kernel-manager.ts";
import { kernelModel } from "./models.ts";

const text = Type.Optional(Type.Union([Type.String({ maxLength: 4096 }), Type.Null()]));
const fields = {
  name: text,
  type: text,
  kernel: Type.Optional(Type.Union([Type.Object({ id: text, name: text }, { additionalProperties: true }), Type.Null()])),
};
const CreateRequest = Type.Object({ ...fields, path: Type.String({ maxLength: 4096 }) }, { additionalProperties: true });
const ChangeRequest = Type.Object({ ...fields, path: text }, { additionalProperties: true });

interface DocumentRequest {
  path?: string | null;
  name?: string | null;
  type?: string | null;
  kernel?: { id?: string | null; name?: string | null } | null;
}

interface DocumentRoute {
  Params: { id: string };
}

/** What a client opened; `sessionId` is our session's. */
interface Document {
  id: string;
  path: string;
  name: string;
  type: string;
  sessionId: string;
}

/** Lists, opens, changes and ends documents. */
export function sessionRoutes(app: FastifyInstance, kernels: KernelManager): void {
  const schema = { hide: true };
  const documents = new Documents(kernels);

  app.get("/api/sessions", { schema }, async () => documents.list().map((document) => documents.model(document)));

  app.post<{ Body: DocumentRequest }>("/api/sessions", { schema: { ...schema, body: CreateRequest } }, async (request, reply) => {
    const document = documents.at(request.body.path ?? "") ?? (await documents.open(request.body));
    return reply.status(201).header("location", `/api/sessions/${document.id}`).send(documents.model(document));
  });

  app.get<DocumentRoute>("/api/sessions/:id", { schema }, async (request) => documents.model(documents.get(request.params.id)));

  app.patch<DocumentRoute & { Body: DocumentRequest }>(
    "/api/sessions/:id",
    { schema: { ...schema, body: ChangeRequest } },
    async (request) => documents.model(await documents.change(documents.get(request.params.id), request.body)),
  );

  app.delete<DocumentRoute>("/api/sessions/:id", { schema }, async (request, reply) => {
    await documents.end(documents.get(request.params.id));
    return reply.status(204).send();
  });
}

/** The documents that clients opened, and one for each kernel that has none: clients list documents, not kernels. */
class Documents {
  readonly #kernels: KernelManager;
  readonly #opened = new Map<string, Document>();
  /** Our sessions that were started for a document. */
  readonly #started = new Set<string>();

  constructor(kernels: KernelManager) {
    this.#kernels = kernels;
  }

  list(): Document[] {
    const running = this.#kernels.running();
    const ids = new Set(running.map(({ id }) => id));
    for (const document of this.#opened.values()) if (!ids.has(document.sessionId)) this.#opened.delete(document.id);
    const opened = [...this.#opened.values()];
    const used = new Set(opened.map(({ sessionId }) => sessionId));
    return [...opened, ...running.filter(({ id }) => !used.has(id)).map(({ id }) => ownDocument(id))];
  }

  /** @throws AppError `session_not_found`. */
  get(id: string): Document {
    const document = this.list().find((candidate) => candidate.id === id);
    if (document === undefined) throw new AppError("session_not_found", `There is no session ${id.slice(0, 128)}.`);
    return document;
  }

  at(path: string): Document | undefined {
    return this.list().find((document) => document.path === path);
  }

  async open({ path, name, type, kernel }: DocumentRequest): Promise<Document> {
    const session = kernel?.id ? this.#kernels.getRunning(kernel.id) : await this.#start(kernel?.name);
    const document = { id: randomUUID(), path: path ?? "", name: name ?? "", type: type ?? "notebook", sessionId: session.id };
    this.#opened.set(document.id, document);
    return document;
  }

  /** A kernel that was started for the document and is used by none any more ends, as Jupyter has it; one of our own API's stays. */
  async change(before: Document, { path, name, type, kernel }: DocumentRequest): Promise<Document> {
    const session = kernel?.id
      ? this.#kernels.getRunning(kernel.id)
      : kernel?.name
        ? await this.#start(kernel.name)
        : this.#kernels.get(before.sessionId);
    const after = {
      id: before.id,
      path: path ?? before.path,
      name: name ?? before.name,
      type: type ?? before.type,
      sessionId: session.id,
    };
    this.#opened.set(after.id, after);
    const isLeft = ![...this.#opened.values()].some(({ sessionId }) => sessionId === before.sessionId);
    if (isLeft && this.#started.delete(before.sessionId)) await this.#kernels.end(this.#kernels.get(before.sessionId));
    return after;
  }

  /** Ends the document with its kernel. */
  async end(document: Document): Promise<void> {
    this.#opened.delete(document.id);
    await this.#kernels.end(this.#kernels.get(document.sessionId));
  }

  model({ id, path, name, type, sessionId }: Document): Record<string, unknown> {
    return { id, path, name, type, kernel: kernelModel(this.#kernels.get(sessionId)), notebook: { path, name } };
  }

  async #start(name: string | null | undefined): Promise<Session> {
    const session = await this.#kernels.start({ name });
    this.#started.add(session.id);
    return session;
  }
}

/** What a kernel is listed as where no client has opened a document on it. */
function ownDocument(sessionId: string): Document {
  return { id: kernelIdOf(sessionId), path: sessionId, name: sessionId, type: "console", sessionId };
}
