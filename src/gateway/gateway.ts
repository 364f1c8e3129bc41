/** The gateway: one address before many executors. It holds nothing that another gateway, or one that starts, would miss. */
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { Addresses, parseAddressSource, type Resolve } from "./addresses.ts";
import { ClaimTeller } from "./claim-teller.ts";
import { ExecutorCalls } from "./executor-calls.ts";
import { Executors } from "./executors.ts";
import { jupyterRoutes } from "./jupyter-routes.ts";
import { GatewayMetrics } from "./metrics.ts";
import type { GatewayParts } from "./parts.ts";
import { serverRoutes } from "./server-routes.ts";
import { SessionFinder } from "./session-finder.ts";
import { SessionMaker } from "./session-maker.ts";
import { SessionProxy } from "./session-proxy.ts";
import { sessionRoutes } from "./session-routes.ts";
import { WebSockets } from "./web-sockets.ts";

/** What a gateway is made with. */
export interface GatewayOptions {
  /** As written in the settings. */
  executors: string[];
  executorKey: string;
  executorTimeoutMs: number;
  /** Certificates, in PEM, that those of executors are checked against. */
  ca?: string;
  version: string;
  /** The id that Jupyter's clients know a session's kernel by; that of an id of this form is itself. */
  kernelIdOf: (sessionId: string) => string;
  resolve?: Resolve;
  logger: Logger;
}

/** One gateway. */
export class Gateway {
  readonly #parts: GatewayParts;
  readonly #teller: ClaimTeller;

  /** @throws UsageError for an executor that is written wrong. */
  constructor(options: GatewayOptions) {
    const { executorKey: key, executorTimeoutMs: lostAfterMs, ca, kernelIdOf: homeKeyOf, version, resolve, logger } = options;
    const addresses = new Addresses(options.executors.map(parseAddressSource), resolve);
    const calls = new ExecutorCalls({ key, ...(ca === undefined ? {} : { ca }) });
    const executors = new Executors({ find: async () => addresses.find(), calls, lostAfterMs, logger });
    const finder = new SessionFinder({ executors, calls, homeKeyOf });
    this.#teller = new ClaimTeller({ executors, finder, calls, homeKeyOf, logger });
    this.#parts = {
      executors,
      calls,
      finder,
      maker: new SessionMaker({ executors, finder, calls }),
      proxy: new SessionProxy({ executors, finder, calls }),
      sockets: new WebSockets({ keyHeaders: calls.keyHeaders, ...(ca === undefined ? {} : { ca }) }),
      metrics: new GatewayMetrics(executors, finder),
      version,
      state: { isEnding: false },
    };
  }

  /** Puts the gateway's routes into an application. */
  register(app: FastifyInstance): void {
    const parts = this.#parts;
    parts.sockets.register(app);
    app.addHook("onResponse", async (_request, reply) => parts.metrics.noteAnswer(reply.statusCode));
    serverRoutes(app, parts);
    sessionRoutes(app, parts);
    jupyterRoutes(app, parts);
  }

  /** Looks for executors; goes on doing so. */
  async start(): Promise<void> {
    await this.#parts.executors.start();
    void this.#teller.start();
  }

  /** From now on `/ready` says that this gateway is about to end. */
  setEnding(): void {
    this.#parts.state.isEnding = true;
  }

  /** Asks and tells nothing any more. */
  async close(): Promise<void> {
    this.#teller.close();
    this.#parts.executors.close();
    await this.#parts.calls.close();
  }
}
