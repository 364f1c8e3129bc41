/** What is attacked: the application over fake kernels, listening, with a session that must be there afterwards. */
import { expect } from "vitest";
import { API, KEY, openAppWithSession, type TestApp, type TestAppOptions } from "../helpers/test-app.ts";

/** A listening application. */
export interface Victim extends TestApp {
  url: string;
}

/** Headers of a request that is let in. */
export const LET_IN = ["Host: localhost", `X-API-Key: ${KEY}`];

export { API };

/** Starts one. */
export async function startVictim(options: TestAppOptions = {}): Promise<Victim> {
  const test = await openAppWithSession(options);
  return { ...test, url: await test.serve() };
}

/** After an attack: the server answers, and its session runs code. */
export async function expectUnharmed(victim: Victim): Promise<void> {
  expect((await fetch(`${victim.url}${API}/health`)).status).toBe(200);
  const answer = await victim.call("POST", "/sessions/s1/execute", { exec_id: "afterwards", code: "" });
  expect([answer.statusCode, answer.json().reason]).toEqual([200, "completed"]);
}
