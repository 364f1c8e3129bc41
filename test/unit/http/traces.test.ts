/** When traces are there, and that they cost nothing where they are not. */
import { expect, test, vi } from "vitest";
import { openTraces } from "../../../src/http/traces.ts";

const loadSdk = vi.hoisted(() =>
  vi.fn(() => {
    throw new Error("not installed");
  }),
);
vi.mock("@opentelemetry/sdk-trace", loadSdk);

const ENDPOINT = "http://127.0.0.1:4318";

test.each([
  {},
  { OTEL_EXPORTER_OTLP_ENDPOINT: "" },
  { OTEL_SERVICE_NAME: "x" },
  { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_SDK_DISABLED: "true" },
  { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_TRACES_EXPORTER: "none" },
])("with %j there are none, and nothing of them is loaded", async (environment) => {
  const onFault = vi.fn();
  expect(await openTraces({ environment, version: "1", onFault })).toBeUndefined();
  expect(loadSdk).not.toHaveBeenCalled();
  expect(onFault).not.toHaveBeenCalled();
});

test.each([
  { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT },
  { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${ENDPOINT}/v1/traces` },
  { OTEL_TRACES_EXPORTER: "otlp" },
])("with %j, where its packages are not installed, the server goes on without and says what to install", async (environment) => {
  const onFault = vi.fn();
  expect(await openTraces({ environment, version: "1", onFault })).toBeUndefined();
  expect(onFault).toHaveBeenCalledWith(expect.stringContaining("npm install @opentelemetry/api "));
});
