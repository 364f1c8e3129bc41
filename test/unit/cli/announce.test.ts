import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { announce } from "../../../src/cli/announce.ts";
import type { Terminal } from "../../../src/cli/terminal.ts";

const LISTENING = { url: "http://localhost:8000", apiKey: "hunter2", apiKeyFile: "/data/api-key" };

function said(isTTY: boolean): string {
  const stderr = Object.assign(new PassThrough(), { isTTY });
  announce("server", LISTENING, undefined, { stderr, env: { NO_COLOR: "1" } } as unknown as Terminal);
  return String(stderr.read());
}

test("a made key is shown on a terminal only; into a file or a log goes where it is kept", () => {
  expect(said(true)).toContain("Clients need the API key: hunter2 (kept in /data/api-key)");
  expect(said(false)).toBe("Clients need the API key (kept in /data/api-key)\n");
});
