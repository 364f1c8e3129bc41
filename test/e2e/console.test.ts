/** The web console in a real browser: sessions and the notebook, used as a person would. */
import { describe, expect, it } from "vitest";
import { CHROMIUM, ConsoleTab } from "./console-browser.ts";
import { useConsole } from "./console-fixture.ts";

describe.skipIf(CHROMIUM === undefined)("the web console", () => {
  const shared = useConsole();
  const { openSession } = shared;
  /** Code that waits until a test says go on, by a file. */
  const until = (file: string): string => `import os, time\nwhile not os.path.exists("${file}"): time.sleep(0.02)`;

  it("makes a session, lists it with what it does, and stops it", async () => {
    await using tab = await ConsoleTab.open(shared.browser, shared.server.url);
    const { page } = tab;
    await page.getByText("No session yet").waitFor();
    await tab.createSession("by-hand");
    await tab.run(`print("begun")\n${until("go")}`);
    await tab.cellWith("begun").first().waitFor();
    await page.getByRole("link", { name: /all sessions/ }).click();
    const row = page.getByRole("row", { name: /by-hand/ });
    await row.getByText("Busy").waitFor();
    expect(await row.innerText()).toMatch(/\d+ MB/);
    await shared.server.client.uploadFile("by-hand", "go", "");
    await row.getByText("Idle").waitFor();
    await row.getByRole("button", { name: "Stop by-hand" }).click();
    await page.getByRole("button", { name: "Stop session" }).click();
    await page.getByText("No session yet").waitFor();
    expect(await shared.server.client.listSessions()).toEqual([]);
    expect(tab.complaints).toEqual([]);
  });

  it("shows output as it is written, and state that lives from cell to cell", async () => {
    await using tab = await openSession();
    const cell = await tab.run(`x = 20\nprint("one")\n${until("go")}\nprint("two")`);
    await cell.getByText("one", { exact: true }).waitFor();
    await cell.getByText("Running").waitFor();
    expect(await cell.getByRole("log").innerText()).toBe("one");
    await shared.server.client.uploadFile(tab.sessionId, "go", "");
    await cell.getByText("two", { exact: true }).waitFor();
    await cell.getByText("Done").waitFor();
    const next = await tab.runToEnd("x * 2 + 2");
    expect(await next.getByLabel("Value").innerText()).toBe("42");
    expect(tab.complaints).toEqual([]);
  });

  it("interrupts, and the variables stay", async () => {
    await using tab = await openSession();
    await tab.runToEnd("kept = 'yes'");
    const cell = await tab.run("import time\nprint('begun')\ntime.sleep(600)");
    await cell.getByText("begun", { exact: true }).waitFor();
    await tab.page.getByRole("button", { name: "Interrupt" }).click();
    await cell.getByText("Interrupted").waitFor();
    const next = await tab.runToEnd("kept");
    expect(await next.getByLabel("Value").innerText()).toBe("'yes'");
  });

  it("runs waiting cells in their order, and none behind one that fails", async () => {
    await using tab = await openSession();
    const first = await tab.run(until("go"));
    await first.getByText("Running").waitFor();
    const second = await tab.run("1 / 0");
    const third = await tab.run("print('never')");
    await second.getByText("Waits for the cell before").waitFor();
    await third.getByText("Waits for the cell before").waitFor();
    await shared.server.client.uploadFile(tab.sessionId, "go", "");
    await second.getByText("Failed").waitFor();
    await third.getByText("Waits").waitFor({ state: "detached" });
    expect(await shared.server.client.listExecutions(tab.sessionId)).toHaveLength(2);
  });

  it("shows figures, and data frames as tables", async () => {
    await using tab = await openSession();
    const figure = await tab.runToEnd("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()");
    const image = figure.locator("img");
    await image.waitFor();
    expect(await image.evaluate((element) => (element as HTMLImageElement).naturalWidth)).toBeGreaterThan(100);
    const frame = await tab.runToEnd('import pandas as pd\npd.DataFrame({"city": ["New York", "Rome"], "people": [8.3, 2.8]})');
    expect(await frame.getByRole("columnheader").allInnerTexts()).toEqual(["", "city", "people"]);
    expect(await frame.getByRole("cell").allInnerTexts()).toEqual(["New York", "8.3", "Rome", "2.8"]);
    expect(tab.complaints).toEqual([]);
  });

  it("draws progress bars over themselves, colours text and replaces displays", async () => {
    await using tab = await openSession();
    const cell = await tab.runToEnd(
      String.raw`for i in range(5): print(f"\rstep {i}", end="", flush=True)
print("\n\x1b[31mred\x1b[0m")
shown = display({"text/plain": "before"}, raw=True, display_id=True)
shown.update({"text/plain": "after"}, raw=True)`,
    );
    expect(await cell.getByRole("log").innerText()).toBe("step 4\nred");
    await cell.locator(".t-fg-1", { hasText: "red" }).waitFor();
    await cell.getByText("after", { exact: true }).waitFor();
    expect(await cell.locator(".value", { hasText: "before" }).count()).toBe(0);
  });

  it("points to the line of an error, which a click leads to", async () => {
    await using tab = await openSession();
    const cell = await tab.runToEnd("def half(value):\n    return 1 / value\n\nhalf(0)", "Failed");
    await cell.getByText("ZeroDivisionError").first().waitFor();
    expect(await cell.locator(".cm-error-line").allInnerTexts()).toEqual(["    return 1 / value", "half(0)"]);
    await cell.getByRole("button", { name: "line 2", exact: true }).click();
    await tab.page.keyboard.type("# here ");
    expect(await cell.locator(".cm-line").nth(1).innerText()).toBe("# here     return 1 / value");
    await cell.getByText("edited since").waitFor();
  });

  it("asks what the code asks", async () => {
    await using tab = await openSession();
    const cell = await tab.run('name = input("Who is there? ")\nprint("hello", name)');
    await cell.getByRole("textbox", { name: "Who is there?" }).waitFor();
    // The keyboard comes to the field by itself.
    await cell.locator(":focus").waitFor();
    await tab.page.keyboard.type("Ada");
    await tab.page.keyboard.press("Enter");
    await cell.getByText("Done").waitFor();
    expect(await cell.getByRole("log").innerText()).toBe("Who is there? Ada\nhello Ada");
  });

  it("shows HTML where its scripts reach neither the page nor the network", async () => {
    await using tab = await openSession();
    const cell = await tab.runToEnd(
      `from IPython.display import HTML
HTML("""<b id="out">static</b><script>
let reached = "";
try { reached += parent.document.title } catch { reached += "no page, " }
try { reached += sessionStorage.length } catch { reached += "no storage, " }
fetch("${shared.server.url}/api/v1/health").then(() => "network", () => "no network").then((word) => { out.textContent = reached + word; });
</script>""")`,
    );
    await cell.frameLocator("iframe").getByText("no page, no storage, no network").waitFor();
  });

  it("draws charts that are data, with libraries of the server's own that no page without a chart asks for", async () => {
    await using tab = await openSession();
    const asked: string[] = [];
    tab.page.on("request", (request) => void (request.url().includes("/charts/") && asked.push(new URL(request.url()).pathname)));
    await tab.runToEnd("from IPython.display import HTML, display\ndef show(kind, data): display({kind: data}, raw=True)");
    expect(asked).toEqual([]);
    const plotly = await tab.runToEnd(
      'show("application/vnd.plotly.v1+json", {"data": [{"y": [1, 3, 2]}], "layout": {"title": {"text": "Drawn"}}})',
    );
    await plotly.frameLocator("iframe").locator(".gtitle", { hasText: "Drawn" }).waitFor();
    const vega = await tab.runToEnd(
      'show("application/vnd.vegalite.v6+json", {"mark": "bar", "data": {"values": [{"a": "x", "b": 2}, {"a": "y", "b": 5}]}, ' +
        '"encoding": {"x": {"field": "a"}, "y": {"field": "b", "type": "quantitative"}}})',
    );
    await vega.frameLocator("iframe").locator(".mark-rect path").nth(1).waitFor();
    const html = await tab.runToEnd(
      `HTML('<script src="https://cdn.plot.ly/plotly-3.0.0.min.js"></script><p id="out"></p>' +
'<script>out.textContent = "it is " + typeof Plotly.newPlot</script>')`,
    );
    await html.frameLocator("iframe").getByText("it is function").waitFor();
    expect(asked).toEqual(["/charts/plotly.js", "/charts/vega.js"]);
    expect([...tab.hosts]).toEqual([new URL(shared.server.url).host]);
    expect(tab.complaints).toEqual([]);
  });

  it("shows values as Python writes them", async () => {
    await using tab = await openSession();
    for (const value of ["3.0", "(1, 2.5)", "set()", "'3'"]) await tab.runToEnd(value);
    expect(await tab.page.getByLabel("Value").allInnerTexts()).toEqual(["3.0", "(1, 2.5)", "set()", "'3'"]);
  });

  it("lists variables, completes names, and restarts", async () => {
    await using tab = await openSession();
    await tab.runToEnd("import os\nanswer = 42\nwords = ['a', 'b']");
    const variables = await tab.panel("Variables");
    expect(await variables.getByRole("listitem").allInnerTexts()).toEqual(["answer\n42", "words\n['a', 'b']"]);
    await tab.cells.last().locator(".cm-content").click();
    await tab.page.keyboard.type("answer; os.path.joi");
    await tab.page.keyboard.press("Tab");
    // The editor takes no Enter for a list that has opened in this moment, as it may have been meant for the line.
    await tab.page.getByRole("option", { name: "join" }).click();
    expect(await tab.cells.last().locator(".cm-content").innerText()).toBe("answer; os.path.join");
    await tab.page.getByRole("button", { name: "Restart" }).click();
    await tab.page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
    await variables.getByText("No variables").waitFor();
    const gone = await tab.runToEnd("", "Failed");
    await gone.getByText("NameError").first().waitFor();
  });

  it("shows what other clients run, live, and all of it after a reload", async () => {
    await using tab = await openSession();
    await tab.runToEnd("print('mine')");
    const other = shared.server.client.executeCode(tab.sessionId, `print("theirs")\n${until("go")}\nprint("ended")`);
    const cell = tab.cellWith('print("theirs")');
    await cell.getByRole("log").getByText("theirs").waitFor();
    await cell.getByText("Running").waitFor();
    await shared.server.client.uploadFile(tab.sessionId, "go", "");
    await other;
    await cell.getByText("Done").waitFor();
    await tab.cells.last().locator(".cm-content").click();
    await tab.page.keyboard.type("draft");
    await tab.page.reload();
    await tab.cellWith('print("theirs")').getByText("Done").waitFor();
    await tab.cellWith("print('mine')").getByText("Done").waitFor();
    expect(await tab.cells.last().locator(".cm-content").innerText()).toBe("draft");
    const history = await tab.panel("History");
    expect((await history.getByRole("button").allInnerTexts()).map((text) => text.split("\n")[0])).toEqual([
      'print("theirs")',
      "print('mine')",
    ]);
    expect(tab.complaints).toEqual([]);
  });

  it("runs a cell again in its place, where it stays after a reload", async () => {
    await using tab = await openSession();
    await tab.runToEnd("first = 1\nprint('first', first)");
    await tab.runToEnd("print('second')");
    await tab.cells.first().locator(".cm-content").click();
    await tab.page.keyboard.press("Control+Home");
    await tab.page.keyboard.press("Shift+End");
    await tab.page.keyboard.type("first = 7");
    await tab.page.keyboard.press("Control+Enter");
    await tab.cells.first().getByRole("log").getByText("first 7").waitFor();
    await tab.cells.first().getByText("Done").waitFor();
    await tab.page.reload();
    await tab.cells.first().getByRole("log").getByText("first 7").waitFor();
    await tab.cells.nth(1).getByRole("log").getByText("second").waitFor();
    expect(await tab.cells.count()).toBe(3);
  });

  it("says that a session is gone, and begins a new one of that name without the old one's cells", async () => {
    await using tab = await openSession();
    await tab.runToEnd("print('before')");
    await shared.server.client.stop(tab.sessionId);
    await tab.page.getByText(`There is no session ${tab.sessionId}`).waitFor();
    await tab.page.getByRole("button", { name: `Create ${tab.sessionId}` }).click();
    await tab.cells.first().waitFor();
    const cell = await tab.runToEnd("'after'");
    expect(await cell.getByLabel("Value").innerText()).toBe("'after'");
    expect(await tab.cells.count()).toBe(2);
    expect(await tab.cellWith("before").count()).toBe(0);
  });

  it("is used with the keyboard alone", async () => {
    await using tab = await openSession();
    const { keyboard } = tab.page;
    const focused = () =>
      tab.page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.tagName ?? "");
    await tab.runToEnd("1 + 1");
    await keyboard.press("Escape");
    expect(await focused()).toBe("Cell 2");
    await keyboard.press("ArrowUp");
    expect(await focused()).toBe("Cell 1");
    await keyboard.press("b");
    await tab.cells.nth(1).locator(".cm-focused").waitFor();
    await keyboard.type("3 + 4");
    await keyboard.press("Shift+Enter");
    await tab.cells.nth(1).getByLabel("Value").getByText("7").waitFor();
    await keyboard.press("Escape");
    await keyboard.press("ArrowUp");
    await keyboard.press("Delete");
    await expect.poll(() => tab.cells.count(), { timeout: 60_000 }).toBe(2);
    await keyboard.press("?");
    await tab.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await keyboard.press("Escape");
    await tab.page.getByRole("dialog").waitFor({ state: "detached" });
  });
});
