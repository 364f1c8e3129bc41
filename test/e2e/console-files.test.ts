/** The web console in a real browser: files, plugins and the notebook's export. */
import { readFile } from "node:fs/promises";
import type { Download, Locator } from "playwright-core";
import { describe, expect, it } from "vitest";
import { CHROMIUM, type ConsoleTab } from "./console-browser.ts";
import { useConsole } from "./console-fixture.ts";

const PLUGIN = `from taskweaver.plugin import Plugin, register_plugin, test_plugin

@register_plugin
class Doubled(Plugin):
    def __call__(self, value):
        self.log("info", "doubling")
        return value * self.config.get("factor", 2)

@test_plugin(name="doubles", description="it doubles")
def doubles(call):
    assert call(2) == 6
`;

describe.skipIf(CHROMIUM === undefined)("the web console", () => {
  const shared = useConsole();
  const openSession = () => shared.openSession({ acceptDownloads: true });
  const downloadBy = async (tab: ConsoleTab, button: Locator): Promise<{ name: string; bytes: Buffer }> => {
    const [download] = await Promise.all([tab.page.waitForEvent("download"), button.click()]);
    return { name: download.suggestedFilename(), bytes: await contentOf(download) };
  };
  const contentOf = async (download: Download): Promise<Buffer> => readFile(await download.path());

  it("uploads chosen files for the code to read, and downloads what the code wrote, byte for byte", async () => {
    await using tab = await openSession();
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    const panel = await tab.panel("Files");
    await panel.getByText("No files").waitFor();
    await panel.getByLabel("Choose files to upload").setInputFiles([
      { name: "données 1.bin", mimeType: "application/octet-stream", buffer: bytes },
      { name: "two.txt", mimeType: "text/plain", buffer: Buffer.from("two") },
    ]);
    await panel.getByText("données 1.bin").waitFor();
    await tab.page.getByText("2 files uploaded").waitFor();
    const cell = await tab.runToEnd('data = open("données 1.bin", "rb").read()\nopen("back.bin", "wb").write(data[::-1])\nlen(data)');
    expect(await cell.getByLabel("Value").innerText()).toBe("70000");
    const download = await downloadBy(tab, panel.getByRole("button", { name: "Download back.bin", exact: true }).last());
    expect(download.name).toBe("back.bin");
    expect(download.bytes.equals(Buffer.from(bytes).reverse())).toBe(true);
    expect(tab.complaints).toEqual([]);
  });

  it("takes files that are dropped onto the page", async () => {
    await using tab = await openSession();
    const dropped = await tab.page.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(["dropped here"], "dropped.txt", { type: "text/plain" }));
      return data;
    });
    await tab.page.dispatchEvent(".drop-area", "dragenter", { dataTransfer: dropped });
    await tab.page.getByText(`Drop to upload into ${tab.sessionId}`).waitFor();
    await tab.page.dispatchEvent(".drop-area", "drop", { dataTransfer: dropped });
    await tab.page.getByRole("tabpanel", { name: "Files" }).getByText("dropped.txt").waitFor();
    const cell = await tab.runToEnd('open("dropped.txt").read()');
    expect(await cell.getByLabel("Value").innerText()).toBe("'dropped here'");
  });

  it("loads a plugin from a file, tests and unloads it", async () => {
    await using tab = await openSession();
    const { page } = tab;
    const panel = await tab.panel("Plugins");
    const choose = (content: string) =>
      panel
        .getByLabel("Choose a plugin’s Python file")
        .setInputFiles({ name: "doubled.py", mimeType: "text/x-python", buffer: Buffer.from(content) });
    await choose("this is no python");
    const dialog = page.getByRole("dialog", { name: "Load doubled.py" });
    expect(await dialog.getByLabel("Name in the session").inputValue()).toBe("doubled");
    await dialog.getByRole("button", { name: "Load" }).click();
    await dialog.getByRole("alert").getByText("failed to load").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await choose(PLUGIN);
    await dialog.getByLabel("Configuration (JSON)").fill('{"factor": 3}');
    await dialog.getByRole("button", { name: "Load" }).click();
    await dialog.waitFor({ state: "detached" });
    const cell = await tab.runToEnd("doubled(4)");
    expect(await cell.getByLabel("Value").innerText()).toBe("12");
    await cell.getByText("doubling").waitFor();
    await panel.getByRole("button", { name: "Test" }).click();
    await panel.getByText("it doubles").waitFor();
    await panel.getByRole("button", { name: "Unload doubled" }).click();
    await panel.getByText("No plugins").waitFor();
    expect((await shared.server.client.getSessionInfo(tab.sessionId)).loaded_plugins).toEqual([]);
  });

  it("saves figures and the whole session as files", async () => {
    await using tab = await openSession();
    const cell = await tab.runToEnd("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()");
    await cell.locator("img").hover();
    const figure = await downloadBy(tab, cell.getByRole("button", { name: /_image\.png/ }));
    expect(figure.bytes.subarray(1, 4).toString()).toBe("PNG");
    const exported = await downloadBy(tab, tab.page.getByRole("button", { name: /Save as a notebook/ }));
    expect(exported.name).toBe(`${tab.sessionId}.ipynb`);
    const notebook = JSON.parse(exported.bytes.toString()) as { nbformat: number; cells: { source: string }[] };
    expect(notebook.nbformat).toBe(4);
    expect(notebook.cells[0]?.source).toContain("plt.show()");
  });
});
