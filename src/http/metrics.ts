/** `/metrics`: what a monitoring system wants to know, as Prometheus text. */
import type { FastifyInstance } from "fastify";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { END_REASONS } from "../api/index.ts";
import type { ExecutionTimes, SessionObserver, SessionTimes } from "../session/session-observer.ts";
import type { SessionStore } from "../session/session-store.ts";
import { raw } from "./route-schemas.ts";

/** Kernels that wait in the pool. */
export interface PoolView {
  readonly size: number;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** The server's counters; one per server, so that several in one process do not mix. */
export class Metrics implements SessionObserver {
  readonly #registry = new Registry();
  readonly #executions: Counter<"reason">;
  readonly #run: Histogram;
  readonly #queued: Histogram;
  readonly #sessionStart: Histogram;
  readonly #kernelStart: Histogram;
  readonly #failedStarts: Counter;

  constructor() {
    const registers = [this.#registry];
    this.#executions = new Counter({
      name: "taskweaver_executions_total",
      help: "Executions that have ended, by reason",
      labelNames: ["reason"],
      registers,
    });
    for (const reason of END_REASONS) this.#executions.inc({ reason }, 0);
    this.#run = new Histogram({ name: "taskweaver_execution_seconds", help: "How long code ran", buckets: SECONDS, registers });
    this.#queued = new Histogram({
      name: "taskweaver_execution_queued_seconds",
      help: "How long executions waited for their turn",
      buckets: SECONDS,
      registers,
    });
    this.#sessionStart = new Histogram({
      name: "taskweaver_session_start_seconds",
      help: "How long it took to give a session its kernel",
      buckets: SECONDS,
      registers,
    });
    this.#kernelStart = new Histogram({
      name: "taskweaver_kernel_start_seconds",
      help: "How long it took until a kernel, a session's first or a later one, was there",
      buckets: SECONDS,
      registers,
    });
    this.#failedStarts = new Counter({
      name: "taskweaver_kernel_starts_failed_total",
      help: "Kernels that could not be started",
      registers,
    });
  }

  executionEnded({ reason, queuedAt, startedAt, finishedAt }: ExecutionTimes): void {
    this.#executions.inc({ reason });
    if (startedAt === undefined) return;
    this.#queued.observe(secondsBetween(queuedAt, startedAt));
    this.#run.observe(secondsBetween(startedAt, finishedAt));
  }

  sessionStarted({ beganAt, finishedAt }: SessionTimes): void {
    this.#sessionStart.observe(secondsBetween(beganAt, finishedAt));
  }

  kernelStarted({ beganAt, finishedAt, isSuccess }: SessionTimes & { isSuccess: boolean }): void {
    if (isSuccess) this.#kernelStart.observe(secondsBetween(beganAt, finishedAt));
    else this.#failedStarts.inc();
  }

  /** Adds what is looked up when it is asked for. */
  watch(sessions: SessionStore, pool: PoolView | undefined): void {
    const gauge = (name: string, help: string, value: () => number): void => {
      const metric: Gauge = new Gauge({ name, help, registers: [this.#registry], collect: () => metric.set(value()) });
    };
    gauge("taskweaver_sessions", "Sessions, stopped ones included", () => sessions.count);
    gauge("taskweaver_kernels", "Sessions with a kernel", () => sessions.runningCount);
    gauge("taskweaver_sessions_busy", "Sessions with work that runs or waits", () => sessions.busyCount);
    gauge("taskweaver_executions_running", "Executions that run", () => sessions.executingCount);
    gauge("taskweaver_executions_queued", "Executions that wait for their turn", () => sessions.queuedCount);
    gauge(
      "taskweaver_kernel_memory_bytes",
      "Resident memory of all sessions' kernels; pages shared by forked ones count for each",
      () => sessions.kernelMemoryBytes,
    );
    if (pool !== undefined) gauge("taskweaver_kernel_pool", "Kernels that wait for a session", () => pool.size);
    gauge("taskweaver_server_memory_bytes", "Resident memory of the server itself", () => process.memoryUsage.rss());
    gauge("taskweaver_server_uptime_seconds", "Since the server started", () => process.uptime());
  }

  /** All of it as text. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
  async text(): Promise<{ type: string; text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

/** `/metrics`, under the same key as everything else. */
export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get(
    "/metrics",
    { schema: { summary: "Prometheus metrics", tags: ["server"], response: { 200: raw("text/plain", "Metrics in the text format") } } },
    async (_request, reply) => {
      const { type, text } = await metrics.text();
      return reply.type(type).send(text);
    },
  );
}

function secondsBetween(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / 1000;
}
