/** A machine that is switched off refuses nothing: its executor is told to be lost all the same, in time. Takes root, for a machine of its own. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { resolveGatewaySettings } from "../../src/config.ts";
import { startGateway } from "../../src/gateway.ts";
import { RemoteHost, whyNoRemoteHost } from "../helpers/remote-host.ts";
import { startLiveServer } from "../helpers/server.ts";
import { whenDone } from "../helpers/when-done.ts";

const missing = await whyNoRemoteHost();
const EXECUTOR_KEY = "key-of-executors";
const REQUESTS = 12;

test("of an executor whose machine is switched off, every request is answered within 5 s", async ({ skip }) => {
  skip(missing !== undefined, missing);
  const host = await RemoteHost.open();
  whenDone(() => host[Symbol.asyncDispose]());
  const [cut, kept] = await Promise.all([
    host.startServer({ TASKWEAVER_SERVER_API_KEY: EXECUTOR_KEY, TASKWEAVER_SERVER_LABELS: "cut", TASKWEAVER_SERVER_KERNEL_POOL: "0" }),
    startLiveServer({ apiKey: EXECUTOR_KEY, requireKey: true }),
  ]);
  const settings = resolveGatewaySettings(
    { port: "0", executors: `${cut},${kept.url}`, executor_key: EXECUTOR_KEY, executor_timeout: "3" },
    {},
  );
  const gateway = await startGateway(settings, { logger: pino({ level: "silent" }) });
  whenDone(() => gateway.close());
  const client = new ExecutionClient({ url: gateway.url, retries: 0 });
  await vi.waitFor(async () => {
    const ready = await fetch(`${gateway.url}/api/v1/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([200, { executors: 2 }]);
  }, 20_000);
  await client.start("there", { requires: ["cut"] });
  await client.executeCode("there", "1 + 1");
  const ask = async (): Promise<unknown> => client.getSessionInfo("there").catch(({ statusCode, code }) => ({ statusCode, code }));
  const lag = monitorEventLoopDelay();
  lag.enable();
  await host.fallSilent();
  const cutAt = performance.now();
  // More than there are open connections: some wait for an answer, others for a connection.
  const told = await Promise.all(Array.from({ length: REQUESTS }, ask));
  const toldMs = performance.now() - cutAt;
  lag.disable();
  expect(told).toEqual(Array.from({ length: REQUESTS }, () => ({ statusCode: 410, code: "executor_lost" })));
  // Each of a few steps is as late as this process is kept waiting by others.
  expect(toldMs).toBeLessThan(5_000 + (3 * lag.max) / 1e6);
});
