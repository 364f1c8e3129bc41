/** The HTTP application over fake kernels: injected, or listening on an ephemeral port of 127.0.0.1. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import { whenDone } from "./when-done.ts";
import { buildApp } from "../../src/http/app.ts";
import type { HttpSettings } from "../../src/http/context.ts";
import { listen } from "../../src/http/listen.ts";
import type { SessionStore } from "../../src/session/session-store.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { Usage } from "../../src/session/usage.ts";
import type { FakeKernels } from "./fake-kernels.ts";
import { openStore, SILENT } from "./fake-session.ts";

export const API = "/api/v1";
export const KEY = "correct-key";

/** An application under test. */
export interface TestApp {
  app: FastifyInstance;
  store: SessionStore;
  kernels: FakeKernels;
  workDirectory: string;
  usage: Usage;
  /** Injects a request; with the right key unless `headers` says otherwise. The path is below the API's prefix unless it begins with `//`. */
  call(method: string, path: string, body?: unknown, options?: Partial<InjectOptions>): Promise<LightMyRequestResponse>;
  /** Listens; returns the URL. */
  serve(host?: string): Promise<string>;
}

/** What {@link openApp} takes. */
export interface TestAppOptions {
  settings?: Partial<HttpSettings>;
  store?: Parameters<typeof openStore>[0];
  isStarting?: () => boolean;
}

/** Builds the application with a key in force; everything ends with the test. */
export async function openApp(options: TestAppOptions = {}): Promise<TestApp> {
  const metrics = new Metrics();
  const { store, kernels, workDirectory } = await openStore({ observer: metrics, ...options.store });
  metrics.watch(store, undefined);
  const usage = new Usage();
  const settings: HttpSettings = {
    version: "1.2.3",
    instance: "this-start",
    labels: [],
    apiKey: KEY,
    requireKey: false,
    onUnixSocket: false,
    corsOrigins: [],
    trustedProxies: [],
    maxBodyBytes: 1024 * 1024,
    heartbeatMs: 60_000,
    ...options.settings,
  };
  const kernelSpecs = async () => [{ name: "python3", displayName: "Python 3", language: "python", interruptMode: "signal" as const }];
  const starting = options.isStarting === undefined ? {} : { isStarting: options.isStarting };
  const app = await buildApp({ ...starting, settings, sessions: store, usage, metrics, kernelSpecs, logger: SILENT });
  whenDone(() => app.close());
  return {
    app,
    store,
    kernels,
    workDirectory,
    usage,
    call: async (method, path, body, over = {}) =>
      app.inject({
        method: method as "GET",
        url: path.startsWith("//") ? path.slice(1) : `${API}${path}`,
        headers: { "x-api-key": KEY },
        ...(body === undefined ? {} : { payload: body as object }),
        ...over,
      }),
    serve: async (host = "127.0.0.1") => {
      const listener = await listen(app, { host, port: 0, socketPath: null });
      whenDone(() => listener.close(0));
      return listener.url;
    },
  };
}

/** An application with a session `s1`. */
export async function openAppWithSession(options: TestAppOptions = {}): Promise<TestApp> {
  const test = await openApp(options);
  await test.store.create({ session_id: "s1" });
  return test;
}
