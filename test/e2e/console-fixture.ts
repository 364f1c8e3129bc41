/** A server and a browser for the tests of one file, and fresh sessions to open in it. */
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { ConsoleTab, launchBrowser } from "./console-browser.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** What the tests of a file share; usable within its tests only. */
export interface ConsoleFixture {
  readonly server: TestServer;
  readonly browser: Browser;
  /** A tab on a fresh session. */
  openSession(options?: BrowserContextOptions): Promise<ConsoleTab & { sessionId: string }>;
}

/** Starts both before the tests of the describing block and ends both after them. */
export function useConsole(): ConsoleFixture {
  let server: TestServer | undefined;
  let browser: Browser | undefined;
  let count = 0;

  beforeAll(async () => {
    [server, browser] = await Promise.all([startTestServer(), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  const started = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error("Server and browser are there within tests only.");
    return part;
  };
  const fixture: ConsoleFixture = {
    get server() {
      return started(server);
    },
    get browser() {
      return started(browser);
    },
    openSession: async (options = {}) => {
      const sessionId = `session-${(count += 1)}`;
      await fixture.server.client.start(sessionId);
      const tab = await ConsoleTab.open(fixture.browser, `${fixture.server.url}/#/sessions/${sessionId}`, options);
      await tab.cells.first().waitFor();
      return Object.assign(tab, { sessionId });
    },
  };
  return fixture;
}
