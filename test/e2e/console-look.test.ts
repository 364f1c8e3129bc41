/** The web console as it is delivered and as it looks: small, from one host, under a strict policy, light and dark, on a phone. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, CONSOLE_FOLDER, ConsoleTab, launchBrowser } from "./console-browser.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

describe("the web console", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ apiKey: "the-key", requireKey: true });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  it("is served to anyone, under a strict policy, and kept by browsers where its names change with its content", async () => {
    const page = await fetch(`${server.url}/`);
    expect(page.status).toBe(200);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain("unsafe");
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|style=/);
    const assets = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map((match) => match[1] ?? "");
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) {
      const answer = await fetch(`${server.url}/${asset}`, { headers: { "Accept-Encoding": "gzip" } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-encoding")).toBe("gzip");
      expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      await answer.arrayBuffer();
    }
    expect((await fetch(`${server.url}/assets/none.js`)).status).toBe(404);
    expect((await fetch(`${server.url}/api/v1/sessions`)).status).toBe(401);
  });

  it("shows foreign HTML in a frame that is sandboxed even where it is opened by itself", async () => {
    const policy = (await fetch(`${server.url}/frame.html`)).headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^sandbox allow-scripts; default-src 'none'; /);
    expect(policy).not.toContain("connect-src");
    expect(policy).toContain("frame-ancestors 'self'");
  });

  it("is under 300 kB, compressed, all of it but the libraries that are fetched for a chart", async () => {
    const names = (await readdir(CONSOLE_FOLDER, { recursive: true })).filter((name) => name.endsWith(".gz") && !name.startsWith("charts"));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(CONSOLE_FOLDER, name))).size));
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300_000);
  });
});

describe.skipIf(CHROMIUM === undefined)("the web console in a browser", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([startTestServer(), launchBrowser()]);
    await server.client.start("looks");
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  it("asks no other host for anything, and breaks no policy", async () => {
    await using tab = await ConsoleTab.open(browser, `${server.url}/#/sessions/looks`);
    await tab.runToEnd("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n1 / 0", "Failed");
    for (const name of ["Files", "Plugins", "History", "Variables"] as const) await tab.panel(name);
    await tab.page.getByRole("link", { name: /all sessions/ }).click();
    await tab.page.getByRole("link", { name: "looks" }).waitFor();
    expect(tab.complaints).toEqual([]);
    expect([...tab.hosts]).toEqual([new URL(server.url).host]);
  });

  it("is light or dark as the system is, until somebody chooses", async () => {
    const background = (tab: ConsoleTab) => tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const lightness = (color: string) => Number(/\d+/.exec(color)?.[0]);
    await using light = await ConsoleTab.open(browser, server.url, { colorScheme: "light" });
    await using dark = await ConsoleTab.open(browser, server.url, { colorScheme: "dark" });
    expect(lightness(await background(light))).toBeGreaterThan(200);
    expect(lightness(await background(dark))).toBeLessThan(60);
    await dark.page.getByRole("button", { name: "Colours: as the system has them" }).click();
    await dark.page.getByRole("button", { name: "Colours: light" }).waitFor();
    expect(lightness(await background(dark))).toBeGreaterThan(200);
    await dark.page.reload();
    await dark.page.getByRole("button", { name: "Colours: light" }).waitFor();
    expect(lightness(await background(dark))).toBeGreaterThan(200);
  });

  it("fits a phone: nothing sticks out, and every part is a tap away", async () => {
    const phone = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };
    await using tab = await ConsoleTab.open(browser, server.url, phone);
    const width = () => tab.page.evaluate(() => document.documentElement.scrollWidth);
    await tab.page.getByRole("link", { name: "looks" }).tap();
    await tab.cells.last().locator(".cm-content").tap();
    await tab.page.keyboard.insertText("from_phone = 'x' * 300\nfrom_phone");
    await tab.cells
      .last()
      .getByRole("button", { name: /Run cell/ })
      .tap();
    await tab.cellWith("from_phone").getByText("Done").waitFor();
    expect(await width()).toBe(375);
    for (const name of ["Variables", "Files", "Plugins", "History"]) {
      await tab.page.getByRole("navigation").getByRole("button", { name }).tap();
      await tab.page.getByRole("tabpanel").waitFor();
      expect(await width()).toBe(375);
    }
    await tab.page.getByRole("navigation").getByRole("button", { name: "Notebook" }).tap();
    await tab.cellWith("from_phone").first().waitFor();
    expect(tab.complaints).toEqual([]);
  });

  it("names everything that can be pressed or filled in", async () => {
    await server.client.start("names");
    await using tab = await ConsoleTab.open(browser, `${server.url}/#/sessions/names`);
    await tab.runToEnd("named = 1");
    const nameless = await tab.page.evaluate(() =>
      [...document.querySelectorAll("button, a, input, textarea, iframe, img")]
        .filter((element) => {
          const label =
            element.getAttribute("aria-label") ?? element.getAttribute("title") ?? element.getAttribute("alt") ?? element.textContent ?? "";
          return label.trim() === "" && element.closest("label") === null;
        })
        .map((element) => element.outerHTML),
    );
    expect(nameless).toEqual([]);
  });
});
