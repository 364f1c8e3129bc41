/** What the HTTP layer is given; it has no logic of its own. */
import type { Logger } from "pino";
import type { SessionStore } from "../session/session-store.ts";
import type { DiskWatch } from "../session/disk-watch.ts";
import type { WebHandler } from "./mcp.ts";
import type { Metrics } from "./metrics.ts";
import type { Traces } from "./traces.ts";
import type { Usage } from "../session/usage.ts";

/** The part of the server's settings that concerns HTTP. */
export interface HttpSettings {
  version: string;
  /** This start of the server: what a gateway knows it by. */
  instance: string;
  /** What sessions behind a gateway can require. */
  labels: string[];
  apiKey: string | null;
  /** Ask local clients for the key too. */
  requireKey: boolean;
  /** Whether the server listens on a Unix socket, whose file says who may connect. */
  onUnixSocket: boolean;
  corsOrigins: string[];
  /** Addresses or networks (CIDR) of proxies whose forwarding headers are believed. */
  trustedProxies: string[];
  maxBodyBytes: number;
  /** Between two comment lines on an idle stream. */
  heartbeatMs: number;
}

/** The part of the settings that is the doors'. */
export type DoorSettings = Pick<HttpSettings, "apiKey" | "requireKey" | "onUnixSocket" | "corsOrigins" | "trustedProxies" | "maxBodyBytes">;

/** A kernel that can be started. */
export interface KernelSpecInfo {
  name: string;
  displayName: string;
  language: string;
  interruptMode: "signal" | "message";
}

/** Everything that routes use. */
export interface HttpContext {
  settings: HttpSettings;
  sessions: SessionStore;
  /** Whether sessions of an earlier server are still being taken back; never by default. */
  isStarting?: () => boolean;
  /** Absent where files may take what there is. */
  disk?: DiskWatch;
  usage: Usage;
  metrics: Metrics;
  /** Absent where nobody asks for them. */
  traces?: Traces;
  kernelSpecs: () => Promise<KernelSpecInfo[]>;
  /** Answers the Model Context Protocol; absent where there is none. */
  mcp?: WebHandler;
  logger: Logger;
}
