/** The parts of a gateway, as its routes use them. */
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { SessionFinder } from "./session-finder.ts";
import type { SessionMaker } from "./session-maker.ts";
import type { SessionProxy } from "./session-proxy.ts";
import type { WebSockets } from "./web-sockets.ts";

/** What the routes use. */
export interface GatewayParts {
  executors: Executors;
  calls: ExecutorCalls;
  finder: SessionFinder;
  maker: SessionMaker;
  proxy: SessionProxy;
  sockets: WebSockets;
  metrics: GatewayMetrics;
  version: string;
  state: { isEnding: boolean };
}
