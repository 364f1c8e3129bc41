/** Jupyter's documents behind a gateway: an executor knows those that were opened there, so that all are asked for one that is not remembered. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import { askAll } from "./all-executors.ts";
import type { Executor } from "./executor.ts";
import type { GatewayParts } from "./parts.ts";
import { goneSignal } from "./session-proxy.ts";

/** What of a document is read here. */
interface Document {
  id: string;
  path: string;
  kernel: { id: string };
}

interface OpenRequest {
  path?: string | null;
  kernel?: { id?: string | null; name?: string | null } | null;
}

/** As executors offer their sessions to clients that know no other way to them. */
export const SESSION_PREFIX = "session.";

const MOST_REMEMBERED = 10_000;

/** Lists, opens and finds documents. */
export class JupyterDocuments {
  readonly #parts: GatewayParts;
  readonly #executors = new LRUCache<string, Executor>({ max: MOST_REMEMBERED });

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  async list(): Promise<Document[]> {
    return (await this.#all()).map(({ document }) => document);
  }

  /** @throws AppError `session_not_found`. */
  async executorOf(id: string): Promise<Executor> {
    const known = this.#executors.get(id);
    if (known !== undefined && known.state !== "lost") return known;
    const found = (await this.#all()).find(({ document }) => document.id === id);
    if (found === undefined) throw new AppError("session_not_found", `There is no session ${id.slice(0, 128)}.`);
    return found.executor;
  }

  /** Opens a document with its kernel, where its kernel is; a new one where there is room. */
  async open(request: FastifyRequest<{ Body: OpenRequest }>, reply: FastifyReply): Promise<FastifyReply> {
    const { calls, finder, executors, proxy } = this.#parts;
    const executor = await this.#executorFor(request.body ?? {});
    const answer = await proxy.openAt(executor, { request, signal: goneSignal(reply) }, request.body ?? {});
    const text = await answer.body.text();
    if (answer.statusCode === 201) {
      const document = JSON.parse(text) as Document;
      this.#executors.set(document.id, executor);
      finder.remember(document.kernel.id, executor);
      executor.isStale = true;
      // The executor has chosen the id: the claim follows, before anybody knows of it.
      const home = await finder.home(document.kernel.id);
      const claims = [{ executor: executor.instance, at: executor.at, sessions: [document.kernel.id] }];
      await calls.tellClaims(home.address, { claims }).catch(() => executors.suspect(home));
    }
    const location = answer.headers["location"];
    if (typeof location === "string") reply.header("location", location);
    return reply.status(answer.statusCode).type("application/json; charset=utf-8").send(text);
  }

  async #executorFor({ path, kernel }: OpenRequest): Promise<Executor> {
    const { finder, maker } = this.#parts;
    if (kernel?.id) return (await finder.find(kernel.id)).executor;
    if (kernel?.name?.startsWith(SESSION_PREFIX) === true) return (await finder.find(kernel.name.slice(SESSION_PREFIX.length))).executor;
    const open = (await this.#all()).find(({ document }) => document.path === (path ?? ""));
    return open?.executor ?? maker.choose([]);
  }

  async #all(): Promise<{ document: Document; executor: Executor }[]> {
    const { executors, calls } = this.#parts;
    const { answers } = await askAll<Document[]>(executors, calls, "/api/sessions");
    const all = answers.flatMap(({ executor, answer }) => answer.map((document) => ({ document, executor })));
    for (const { document, executor } of all) this.#executors.set(document.id, executor);
    return all;
  }
}
