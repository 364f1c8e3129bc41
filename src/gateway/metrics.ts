/** A gateway's own figures, as Prometheus text. */
import { Counter, Gauge, Registry } from "prom-client";
import type { Executors } from "./executors.ts";
import type { SessionFinder } from "./session-finder.ts";

/** The counters of one gateway. */
export class GatewayMetrics {
  readonly #registry = new Registry();
  readonly #answers: Counter<"status">;

  constructor(executors: Executors, finder: SessionFinder) {
    const registers = [this.#registry];
    this.#answers = new Counter({
      name: "taskweaver_gateway_answers_total",
      help: "Answers, by HTTP status",
      labelNames: ["status"],
      registers,
    });
    const byState = new Gauge({
      name: "taskweaver_gateway_executors",
      help: "Executors, by state",
      labelNames: ["state"],
      registers,
      collect: () => {
        for (const state of ["ready", "draining", "away"])
          byState.set({ state }, executors.all().filter((each) => each.state === state).length);
      },
    });
    const gauge = (name: string, help: string, value: () => number): void => {
      const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(value()) });
    };
    gauge("taskweaver_gateway_sessions", "Sessions of all executors, as they last said", () =>
      executors.all().reduce((total, { sessions }) => total + sessions, 0),
    );
    gauge("taskweaver_gateway_questions", "Questions asked of executors to find and claim sessions", () => finder.questions);
    gauge("taskweaver_gateway_changes", "Times that executors came or went", () => executors.changes.version);
    gauge("taskweaver_gateway_memory_bytes", "Resident memory of the gateway", () => process.memoryUsage.rss());
  }

  noteAnswer(status: number): void {
    this.#answers.inc({ status: String(status) });
  }

  /** All of it as text. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
  async text(): Promise<{ type: string; text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
