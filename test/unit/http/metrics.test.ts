/** `/metrics`: counts and times, as Prometheus text. */
import { expect, test } from "vitest";
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
