/** A server in a process of its own, whose memory and open files are its own, too. */
import { readdirSync, readFileSync } from "node:fs";
import { temporaryFolder } from "../helpers/fake-session.ts";
import { freePort, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { whenDone } from "../helpers/when-done.ts";

/** A server process, and what it takes now. */
export interface MeasuredServer extends ServerProcess {
  /** Resident. */
  memoryBytes(): number;
  openFiles(): number;
  /** The JSON of an answer, of a POST where there is a body. The path is below the API's prefix. */
  call<T = Record<string, unknown>>(path: string, body?: unknown): Promise<T>;
}

/** Starts one; it ends with the test. */
export async function startMeasuredServer(...args: string[]): Promise<MeasuredServer> {
  const server = await startServerProcess(await temporaryFolder(), await freePort(), ...args);
  whenDone(() => server.end("SIGTERM"));
  const folder = `/proc/${server.process.pid}`;
  return {
    ...server,
    memoryBytes: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`${folder}/status`, "utf8"))?.[1]) * 1024,
    openFiles: () => readdirSync(`${folder}/fd`).length,
    call: async <T>(path: string, body?: unknown) => {
      const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const answer = await fetch(`${server.url}/api/v1${path}`, body === undefined ? {} : post);
      if (!answer.ok) throw new Error(await answer.text());
      return (await answer.json()) as T;
    },
  };
}
