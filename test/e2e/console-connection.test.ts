/** The web console in a real browser: a network that breaks, a server that asks for its key. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, ConsoleTab, launchBrowser } from "./console-browser.ts";
import { CuttableProxy } from "./cuttable-proxy.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

describe.skipIf(CHROMIUM === undefined)("the web console", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  describe("over a network that breaks", () => {
    let server: TestServer;

    beforeAll(async () => {
      server = await startTestServer();
    });
    afterAll(() => server?.[Symbol.asyncDispose]());

    it("says so, and shows all output once it is back, of cells that ended meanwhile and of those that go on", async () => {
      await using proxy = await CuttableProxy.start(server.port);
      await server.client.start("cut");
      await using tab = await ConsoleTab.open(browser, `${proxy.url}/#/sessions/cut`);
      const cell = await tab.run(
        `import os, time
for part in range(3):
    print("part", part, flush=True)
    while not os.path.exists(f"go{part}"): time.sleep(0.02)
print("ended")`,
      );
      await cell.getByText("part 0").waitFor();
      await proxy.cut();
      await tab.page.getByText("The connection to the server is lost").waitFor();
      await server.client.uploadFile("cut", "go0", "");
      await proxy.mend();
      await tab.page.getByText("The connection to the server is lost").waitFor({ state: "detached" });
      await cell.getByText("part 1").waitFor();
      await cell.getByText("Running").waitFor();
      await proxy.cut();
      await tab.page.getByText("The connection to the server is lost").waitFor();
      await server.client.uploadFile("cut", "go1", "");
      await server.client.uploadFile("cut", "go2", "");
      await expect.poll(async () => (await server.client.listExecutions("cut"))[0]?.state, { timeout: 60_000 }).toBe("done");
      await proxy.mend();
      await cell.getByText("Done").waitFor();
      expect(await cell.getByRole("log").innerText()).toBe("part 0\npart 1\npart 2\nended");
      const next = await tab.runToEnd("part");
      expect(await next.getByLabel("Value").innerText()).toBe("2");
      expect(tab.complaints).toEqual([]);
    });

    it("sends code once where the connection breaks under the request", async () => {
      await using proxy = await CuttableProxy.start(server.port);
      await server.client.start("sent-once");
      await using tab = await ConsoleTab.open(browser, `${proxy.url}/#/sessions/sent-once`);
      await tab.cells.first().waitFor();
      await proxy.cut();
      const cell = await tab.run("count = globals().get('count', 0) + 1\nprint('count', count)");
      await tab.page.getByText("The connection to the server is lost").waitFor();
      await proxy.mend();
      // Either it got through by itself, or the cell says that it did not, and then it did not.
      await cell
        .locator(".cell-status")
        .filter({ hasText: /Done|Run it again/ })
        .waitFor();
      if (await cell.getByText("Run it again").isVisible()) {
        await cell.getByRole("button", { name: /Run cell/ }).click();
        await cell.getByText("Done").waitFor();
      }
      expect(await cell.getByRole("log").innerText()).toBe("count 1");
    });
  });

  describe("where a key is needed", () => {
    let server: TestServer;

    beforeAll(async () => {
      server = await startTestServer({ apiKey: "the-right-key", requireKey: true });
    });
    afterAll(() => server?.[Symbol.asyncDispose]());

    it("asks for it, keeps it for the tab only, and works with it", async () => {
      await using tab = await ConsoleTab.open(browser, server.url);
      const { page } = tab;
      const dialog = page.getByRole("dialog", { name: "This server needs a key" });
      await dialog.getByLabel("API key").fill("a-wrong-key");
      await dialog.getByRole("button", { name: "Continue" }).click();
      await dialog.getByText("The server does not accept this key.").waitFor();
      await dialog.getByLabel("API key").fill("the-right-key");
      await page.keyboard.press("Enter");
      await dialog.waitFor({ state: "detached" });
      await tab.createSession("with-key");
      const cell = await tab.runToEnd("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n'works'");
      expect(await cell.getByLabel("Value").innerText()).toBe("'works'");
      const kept = await page.evaluate(() => ({
        session: JSON.stringify(sessionStorage),
        local: JSON.stringify(localStorage),
        cookie: document.cookie,
      }));
      expect(kept.session).toContain("the-right-key");
      expect(kept.local + kept.cookie + page.url()).not.toContain("the-right-key");
      await page.reload();
      await tab.cellWith("plt.show()").first().waitFor();
      expect(await dialog.isVisible()).toBe(false);
      await using other = await ConsoleTab.open(browser, server.url);
      await other.page.getByRole("dialog", { name: "This server needs a key" }).waitFor();
    });

    it("asks again when it is forgotten", async () => {
      await using tab = await ConsoleTab.open(browser, server.url);
      const dialog = tab.page.getByRole("dialog", { name: "This server needs a key" });
      await dialog.getByLabel("API key").fill("the-right-key");
      await dialog.getByRole("button", { name: "Continue" }).click();
      await dialog.waitFor({ state: "detached" });
      await tab.page.getByRole("button", { name: "Forget the key of this tab" }).click();
      await dialog.waitFor();
      expect(await tab.page.evaluate(() => sessionStorage.length)).toBe(0);
    });
  });
});
