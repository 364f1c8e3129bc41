/** `node scripts/screenshots.mjs`: takes the pictures in `docs/images` of the real console in Chromium, light and dark. Needs Chromium, and builds first. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ensureBuild, ensureDependencies, ensureTestPython, main, ROOT, say } from "./steps.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FOLDER = join(ROOT, "docs/images");

/** What the session in the pictures has run. */
const CELLS = [
  `import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
weeks = pd.date_range("2025-01-06", periods=26, freq="W")
steps = {"north": rng.normal(5, 9, 26), "south": rng.normal(4, 9, 26)}
sales = pd.DataFrame(steps, index=weeks).cumsum() + 400
sales.describe().round(1).loc[["mean", "std", "max"]]`,
  `import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(8, 2.9))
axes.plot(sales, label=sales.columns)
axes.set_title("Sales by region", loc="left")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()`,
];

const OTHERS = { scratch: "1", "weather-agent": "import json\ndays = 7", "nightly-import": "import time\ntime.sleep(3600)" };

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  const { SERVER_DEFAULTS, startServer } = await import("../dist/index.js");
  const { ExecutionClient } = await import("../dist/client/index.js");
  const workDir = await mkdtemp(join(tmpdir(), "taskweaver-pictures-"));
  const folder = join(workDir, "projects");
  const python = await ensureTestPython();
  const server = await startServer({
    ...SERVER_DEFAULTS,
    host: "127.0.0.1",
    port: 0,
    workDir,
    python,
    logLevel: "silent",
    shutdownGraceMs: 0,
  });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const client = new ExecutionClient({ url: server.url });
    for (const [id, code] of Object.entries(OTHERS)) {
      const session = await client.start(id, { cwd: join(folder, id) });
      // One of them goes on for as long as the pictures take.
      const execution = session.executeCode(code);
      if (id === "nightly-import") execution.then(undefined, () => undefined);
      else await execution;
    }
    const session = await client.start("sales-report", { cwd: join(folder, "sales-report") });
    for (const code of CELLS) await session.executeCode(code);
    await mkdir(FOLDER, { recursive: true });
    for (const colorScheme of ["light", "dark"]) {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 985 }, colorScheme })).newPage();
      await page.goto(`${server.url}/#/sessions/sales-report`);
      await page.getByRole("img").first().waitFor();
      await page
        .locator(".cell-status", { hasText: "Done" })
        .nth(CELLS.length - 1)
        .waitFor();
      await page.getByText("Write Python").waitFor();
      // From the top of the notebook, as somebody reads it.
      await page.evaluate(() => document.querySelector("article")?.scrollIntoView({ block: "end" }));
      await page.screenshot({ path: join(FOLDER, `console-session-${colorScheme}.png`) });
      say(`console-session-${colorScheme}.png`);
      if (colorScheme === "light") continue;
      await page.setViewportSize({ width: 1280, height: 520 });
      await page.getByRole("link", { name: /all sessions/ }).click();
      await page.getByText("Busy", { exact: true }).waitFor();
      await page.screenshot({ path: join(FOLDER, "console-sessions.png") });
      say("console-sessions.png");
    }
  } finally {
    await browser.close();
    await server.close();
    await rm(workDir, { recursive: true, force: true });
  }
});
