/** `/metrics`: counts and times, as Prometheus text. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Metrics } from "../../../src/http/metrics.ts";
import { PACKAGE_ROOT } from "../../../src/paths.ts";
import { openStore } from "../../helpers/fake-session.ts";
import { openApp } from "../../helpers/test-app.ts";

test("counts sessions, kernels and executions by how they ended", async () => {
  const { call } = await openApp();
  await call("POST", "/sessions", { session_id: "s1" });
  await call("POST", "/sessions/s1/execute", { exec_id: "e1", code: "1" });
  const { statusCode, body } = await call("GET", "//metrics");
  expect(statusCode).toBe(200);
  const value = (name: string) => new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(body)?.[1];
  expect(value("taskweaver_sessions")).toBe("1");
  expect(value("taskweaver_kernels")).toBe("1");
  expect(value('taskweaver_executions_total{reason="completed"}')).toBe("1");
  expect(value('taskweaver_executions_total{reason="kernel_died"}')).toBe("0");
  expect(value("taskweaver_execution_seconds_count")).toBe("1");
  expect(value("taskweaver_session_start_seconds_count")).toBe("1");
  expect(Number(value("taskweaver_server_memory_bytes"))).toBeGreaterThan(1_000_000);
});

test("the page about operation lists exactly what is served, with its type and its meaning", async () => {
  const metrics = new Metrics();
  metrics.watch((await openStore()).store, { size: 0 });
  const { text } = await metrics.text();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const served = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => `| \`${name}\` | ${types.get(name)} | ${help} |`);
  const page = await readFile(join(PACKAGE_ROOT, "docs/operation.md"), "utf8");
  expect(page.match(/^\| `taskweaver_.*$/gm)?.toSorted()).toEqual(served.toSorted());
  for (const [name, type] of types) {
    expect(name).toMatch(/^taskweaver_[a-z_]+$/);
    // As Prometheus names them: counters end with what they are, and units are base units.
    expect(name?.endsWith("_total")).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
  }
});
