/** A sample project and a server for the tests of one file that use the command as its user does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { runCli } from "./cli-process.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** What the tests of a file share; `server` is there within its tests only. */
export interface ProjectFixture {
  /** Where commands run. */
  readonly folder: string;
  /** What `taskweaver init` wrote. */
  readonly project: string;
  readonly server: TestServer;
}

/** Makes both before the tests of a file and removes both after them. */
export function useProject(): ProjectFixture {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  let server: TestServer | undefined;
  beforeAll(async () => {
    await runCli(["init", "project"], { cwd: folder });
    server = await startTestServer();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    project: join(folder, "project"),
    get server() {
      if (server === undefined) throw new Error("The server is there within tests only.");
      return server;
    },
  };
}
