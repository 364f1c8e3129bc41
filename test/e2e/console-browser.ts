/** A browser on the web console, with the words for what a person does there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from "playwright-core";
import { PACKAGE_ROOT } from "../../src/paths.ts";

/** Undefined where none is installed. */
export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

/** Where the build puts the console. */
export const CONSOLE_FOLDER = join(PACKAGE_ROOT, "dist/console");

/** Starts it. */
export async function launchBrowser(): Promise<Browser> {
  if (!existsSync(join(CONSOLE_FOLDER, "index.html"))) throw new Error("The console is not built: run `npm run build` first.");
  return chromium.launch({ executablePath: CHROMIUM ?? "", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
}

/** One tab on the console. */
export class ConsoleTab implements AsyncDisposable {
  readonly page: Page;
  /** What the browser complained of: errors, and breaches of the content security policy. Failed requests are the tests' to want. */
  readonly complaints: string[] = [];
  /** Every host that was asked for something. */
  readonly hosts = new Set<string>();

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) this.complaints.push(message.text());
    });
    page.on("request", (request) => {
      if (request.url().startsWith("http")) this.hosts.add(new URL(request.url()).host);
    });
  }

  /** A tab of a profile of its own. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<ConsoleTab> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    // A machine that runs all tests at once is slow.
    context.setDefaultTimeout(60_000);
    const tab = new ConsoleTab(await context.newPage());
    await tab.page.goto(url);
    return tab;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }

  /** Makes a session by the dialog. */
  async createSession(name: string): Promise<void> {
    await this.page.getByRole("button", { name: "New session" }).click();
    await this.page.getByLabel("Name").fill(name);
    await this.page.getByRole("button", { name: "Create" }).click();
    await this.page.getByRole("heading", { name }).waitFor();
  }

  /** The cells, the last of which is the draft. */
  get cells(): Locator {
    return this.page.getByRole("article");
  }

  /** The cell that holds a text, in its code or in its output. */
  cellWith(text: string): Locator {
    return this.cells.filter({ hasText: text });
  }

  /** Types code into the draft and runs it; resolves with its cell, which may still run. */
  async run(code: string): Promise<Locator> {
    const count = await this.cells.count();
    const editor = this.cells.last().locator(".cm-content");
    await editor.click();
    // Pasted, as people do: typed, every bracket would be closed for them.
    await this.page.keyboard.insertText(code);
    await this.page.keyboard.press("Shift+Enter");
    await this.cells.nth(count).waitFor();
    return this.cells.nth(count - 1);
  }

  /** As {@link run}, to its end. */
  async runToEnd(code: string, ending = "Done"): Promise<Locator> {
    const cell = await this.run(code);
    await cell.locator(".cell-status", { hasText: ending }).waitFor();
    return cell;
  }

  /** Opens a panel beside the notebook. */
  async panel(name: "Variables" | "Files" | "Plugins" | "History"): Promise<Locator> {
    await this.page.getByRole("tab", { name }).click();
    return this.page.getByRole("tabpanel", { name });
  }
}
