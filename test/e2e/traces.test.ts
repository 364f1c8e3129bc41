/** Traces as a collector gets them: over OTLP/HTTP, with the names of sessions and executions, below the client's span, and never with code. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";
import { startLiveServer } from "../helpers/server.ts";

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number };
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN = "b7ad6b7169203331";
const headers = { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` };

test("requests, sessions, kernels and executions are spans, and an execution hangs below the client's own", async () => {
  const collector = await startCollector();
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url);
  vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
  onTestFinished(() => void vi.unstubAllEnvs());
  const server = await startLiveServer();
  await server.call("POST", "/sessions", { session_id: "traced" });
  const secret = "a_name_that_is_nobodys_business";
  await server.call("POST", "/sessions/traced/execute", { exec_id: "x1", code: `${secret} = 1; import time; time.sleep(0.05)` }, headers);
  await server.call("POST", "/sessions/traced/execute", { exec_id: "x2", code: "import os; os._exit(3)" }, headers);
  await server.call("GET", "/sessions/unheard-of");
  await server.close();

  const spans = collector.spans();
  const named = (name: string): Span[] => spans.filter((span) => span.name === name);
  const of = (execution: string) => (span: Span) => attribute(span, "taskweaver.execution.id") === execution;

  const [created] = named("POST /api/v1/sessions");
  const [started] = named("session start");
  const [kernel] = named("kernel start");
  expect([started?.parentSpanId, kernel?.parentSpanId]).toEqual([created?.spanId, created?.spanId]);
  expect(attribute(kernel!, "taskweaver.session.id")).toBe("traced");

  const [request] = named("POST /api/v1/sessions/:session_id/execute");
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: CLIENT_SPAN });
  expect(attribute(request!, "http.response.status_code")).toBe(200);
  const execution = named("execution").find(of("x1"))!;
  expect(execution).toMatchObject({ traceId: TRACE, parentSpanId: request?.spanId });
  expect(["taskweaver.session.id", "taskweaver.execution.reason"].map((key) => attribute(execution, key))).toEqual(["traced", "completed"]);
  const [wait, run] = ["execution wait", "execution run"].map((name) => named(name).find(of("x1"))!) as [Span, Span];
  expect([wait.parentSpanId, run.parentSpanId]).toEqual([execution.spanId, execution.spanId]);
  expect(BigInt(run.endTimeUnixNano) - BigInt(run.startTimeUnixNano)).toBeGreaterThan(49_000_000n);
  expect([execution.status.code ?? 0, named("execution").find(of("x2"))!.status.code]).toEqual([0, 2]);

  expect(named("GET /api/v1/sessions/:session_id").map((span) => attribute(span, "http.response.status_code"))).toEqual([404]);
  expect(collector.text()).not.toContain(secret);
  expect(collector.text()).toContain("deployment.environment.name");
});

test("a collector that is not there holds nobody up", async () => {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { session, run, close } = await startLiveServer();
  expect((await run(await session(), "1 + 1")).output).toBe(2);
  await close();
});

async function startCollector() {
  const bodies: unknown[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      if (request.url === "/v1/traces") bodies.push(body);
      response.setHeader("Content-Type", "application/json").end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  type Body = { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () =>
      (bodies as Body[]).flatMap((body) => body.resourceSpans.flatMap((part) => part.scopeSpans.flatMap((scope) => scope.spans))),
    text: () => JSON.stringify(bodies),
  };
}

function attribute(span: Span, key: string): string | number | undefined {
  const value = span.attributes.find((one) => one.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
}
