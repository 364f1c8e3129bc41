/** Traces: spans of requests, sessions, kernel starts and executions, told to a collector; their names and times, never code. */
import { AsyncLocalStorage } from "node:async_hooks";
import type * as api from "@opentelemetry/api";
import type { Attributes, Context, Span, SpanContext, Tracer } from "@opentelemetry/api";
import type { TracerProvider } from "@opentelemetry/sdk-trace";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { messageOf } from "../errors.ts";
import type { ExecutionTimes, SessionObserver, SessionTimes } from "../session/session-observer.ts";

type Api = Pick<typeof api, "ROOT_CONTEXT" | "SpanKind" | "SpanStatusCode" | "trace">;

/** What traces are made with. */
export interface TracesOptions {
  environment: Record<string, string | undefined>;
  version: string;
  /** Told why there are none although the environment asks for them. */
  onFault: (sentence: string) => void;
}

const SCOPE = "taskweaver-executor";
const PACKAGES = ["api", "exporter-trace-otlp-http", "resources", "sdk-trace"].map((name) => `@opentelemetry/${name}`);

/** At the end, what the collector has to take the last spans. */
const FLUSH_MS = 2_000;

/**
 * Opens them where the environment asks for them, and then only loads what they take.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export async function openTraces({ environment, version, onFault }: TracesOptions): Promise<Traces | undefined> {
  if (!areWanted(environment)) return undefined;
  try {
    const [telemetry, sdk, { OTLPTraceExporter }, resources] = await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
    ]);
    const ours = resources.resourceFromAttributes({ "service.name": SCOPE, "service.version": version });
    const provider = new sdk.TracerProvider({
      // What the environment says of the service stands above.
      resource: ours.merge(resources.detectResources({ detectors: [resources.envDetector] })),
      spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
    });
    return new Traces(telemetry, provider, version);
  } catch (error) {
    onFault(
      `The environment asks for traces, and what they take could not be loaded (npm install ${PACKAGES.join(" ")}): ${messageOf(error)}`,
    );
    return undefined;
  }
}

function areWanted(environment: TracesOptions["environment"]): boolean {
  const exporter = environment["OTEL_TRACES_EXPORTER"]?.trim();
  if (environment["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true" || exporter === "none") return false;
  const endpoint = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? environment["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  return exporter === "otlp" || endpoint !== "";
}

/** Spans of one server. What happens within a request, and of what it has begun, belongs to its span. */
export class Traces implements SessionObserver {
  readonly #api: Api;
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #current = new AsyncLocalStorage<SpanContext>();

  constructor(telemetry: Api, provider: TracerProvider, version: string) {
    this.#api = telemetry;
    this.#provider = provider;
    this.#tracer = provider.getTracer(SCOPE, version);
  }

  /** A span for each request, below the one that its client names. @see https://www.w3.org/TR/trace-context/ */
  watch(app: FastifyInstance): void {
    app.addHook("onRequest", (request, reply, done) => {
      const route = request.routeOptions.url ?? "unknown path";
      const attributes = { "http.request.method": request.method, "http.route": route, ...namesIn(request) };
      const kind = this.#api.SpanKind.SERVER;
      const span = this.#tracer.startSpan(`${request.method} ${route}`, { kind, attributes }, this.#below(parentOf(request)));
      // A stream has left the framework's hands; its socket tells its end all the same.
      reply.raw.once("close", () => {
        const { statusCode } = reply.raw;
        span.setAttribute("http.response.status_code", statusCode);
        if (statusCode >= 500) span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
        span.end();
      });
      this.#current.run(span.spanContext(), done);
    });
  }

  executionEnded({ sessionId, executionId, reason, queuedAt, startedAt, finishedAt }: ExecutionTimes): void {
    const names = { "taskweaver.session.id": sessionId, "taskweaver.execution.id": executionId };
    const whole = this.#start("execution", queuedAt, { ...names, "taskweaver.execution.reason": reason });
    // That code raises is no fault of the service's, and its user's to know.
    if (reason !== "completed" && reason !== "error") whole.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: reason });
    this.#start("execution wait", queuedAt, names, whole.spanContext()).end(startedAt ?? finishedAt);
    if (startedAt !== undefined) this.#start("execution run", startedAt, names, whole.spanContext()).end(finishedAt);
    whole.end(finishedAt);
  }

  sessionStarted({ sessionId, beganAt, finishedAt }: SessionTimes): void {
    this.#start("session start", beganAt, { "taskweaver.session.id": sessionId }).end(finishedAt);
  }

  kernelStarted({ sessionId, beganAt, finishedAt, isSuccess }: SessionTimes & { isSuccess: boolean }): void {
    const span = this.#start("kernel start", beganAt, { "taskweaver.session.id": sessionId });
    if (!isSuccess) span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    span.end(finishedAt);
  }

  /** Sends what is still to be sent; a collector that does not answer holds nobody up. */
  async close(): Promise<void> {
    await this.#provider.forceFlush({ timeoutMillis: FLUSH_MS }).catch(() => undefined);
    await this.#provider.shutdown().catch(() => undefined);
  }

  #start(name: string, startTime: Date, attributes: Attributes, parent = this.#current.getStore()): Span {
    return this.#tracer.startSpan(name, { startTime, attributes }, this.#below(parent));
  }

  #below(parent: SpanContext | undefined): Context {
    const { ROOT_CONTEXT, trace } = this.#api;
    return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  }
}

const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;

/** The span that the client names; a header that is none counts as absent. */
function parentOf({ headers }: FastifyRequest): SpanContext | undefined {
  const header = headers["traceparent"];
  const [, traceId, spanId, flags] = (typeof header === "string" && TRACE_PARENT.exec(header)) || [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags ?? "0", 16), isRemote: true };
}

/** What the path names; names of files are the session's own. */
function namesIn(request: FastifyRequest): Attributes {
  const { session_id: session, exec_id: execution } = (request.params ?? {}) as { session_id?: string; exec_id?: string };
  return {
    ...(session === undefined ? {} : { "taskweaver.session.id": session }),
    ...(execution === undefined ? {} : { "taskweaver.execution.id": execution }),
  };
}
