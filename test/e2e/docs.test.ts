/** The API page in a real browser: it works with what this server serves, under its own content security policy. */
import { existsSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./test-server.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

describe("/docs", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ apiKey: "the-key", requireKey: true });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("is shown to anyone, while the API's description needs the key", async () => {
    const get = (path: string, headers: Record<string, string> = {}) => fetch(server.url + path, { headers, redirect: "manual" });
    const page = await get("/docs");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self';");
    expect((await get("/docs/")).headers.get("location")).toBe("../docs");
    expect((await get("/docs/swagger-ui-bundle.js")).headers.get("content-type")).toMatch("javascript");
    expect((await get("/docs/other.js")).status).toBe(401);
    expect((await get("/openapi.json")).status).toBe(401);
    expect((await get("/openapi.json", { "X-API-Key": "the-key" })).status).toBe(200);
  });

  describe.skipIf(CHROMIUM === undefined)("in a browser", () => {
    let browser: Browser;

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args: ["--no-sandbox"] });
    });
    afterAll(() => browser.close());

    const open = async (url: string): Promise<{ page: Page; complaints: string[]; hosts: Set<string> }> => {
      const page = await browser.newPage();
      const complaints: string[] = [];
      const hosts = new Set<string>();
      page.on("console", (message) => {
        if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith("data:")) hosts.add(new URL(request.url()).host);
      });
      await page.goto(url);
      return { page, complaints, hosts };
    };

    it("asks for the key, shows every operation and sends requests with the key, without a word to any other host", async () => {
      const { page, complaints, hosts } = await open(`${server.url}/docs`);
      try {
        await page.getByText("This server asks for its API key.").waitFor();
        await page.getByLabel("API key").fill("wrong");
        await page.getByRole("button", { name: "Show the API" }).click();
        await page.getByText("The server refuses this key.").waitFor();
        await page.getByLabel("API key").fill("the-key");
        await page.getByRole("button", { name: "Show the API" }).click();
        const operation = page.locator("#operations-sessions-get_api_v1_sessions");
        await operation.locator("button").first().click();
        await operation.getByRole("button", { name: "Try it out" }).click();
        await operation.getByRole("button", { name: "Execute" }).click();
        await operation.locator(".live-responses-table", { hasText: '"sessions": []' }).waitFor();
        const description = (await (await fetch(`${server.url}/openapi.json`, { headers: { "X-API-Key": "the-key" } })).json()) as {
          paths: Record<string, Record<string, unknown>>;
        };
        const operations = Object.values(description.paths).flatMap((path) => Object.keys(path));
        expect(await page.locator(".opblock").count()).toBe(operations.length);
        expect(complaints).toEqual([]);
        expect([...hosts]).toEqual([new URL(server.url).host]);
      } finally {
        await page.close();
      }
    });

    it("asks for nothing where no key is needed", async () => {
      await using open_ = await startTestServer();
      const { page, complaints } = await open(`${open_.url}/docs`);
      try {
        await page.locator(".opblock").first().waitFor();
        expect(await page.getByLabel("API key").isVisible()).toBe(false);
        expect(complaints).toEqual([]);
      } finally {
        await page.close();
      }
    });
  });
});
