/** What code shows becomes artifacts: pictures, tables, charts, and displays that update themselves. */
import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { ExecutionResult } from "../../src/api/index.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const live = sharedByAll(async () => {
  const server = await startLiveServer();
  return { ...server, path: await server.session() };
});

describe("figures", () => {
  test("are PNG files with a name of their own, in order, and can be downloaded", async () => {
    const { run, path } = live();
    const code = "for n in range(2):\n    plt.figure(); plt.plot([n, 1])\n    plt.show()";
    const { artifact, is_success } = await run(path, code, { exec_id: "fig" });
    expect(is_success).toBe(true);
    expect(artifact.map((one) => [one.file_name, one.mime_type])).toEqual([
      ["fig-display-1_image.png", "image/png"],
      ["fig-display-2_image.png", "image/png"],
    ]);
    for (const one of artifact) {
      const bytes = Buffer.from(await (await fetch(one.download_url)).arrayBuffer());
      expect(bytes.subarray(0, 8).toString("latin1")).toBe("\u0089PNG\r\n\u001a\n");
      expect(bytes.toString("base64")).toBe(one.file_content);
    }
  });

  test("that are left open are shown at the end, and the value of a figure is an artifact as well", async () => {
    const { run, path } = live();
    expect((await run(path, "plt.plot([1, 2])\n'done'")).artifact).toHaveLength(1);
    const value = await run(path, "fig, ax = plt.subplots()\nplt.close(fig)\nfig");
    expect(value.output).toMatch(/^<Figure size/);
    expect(value.artifact).toMatchObject([{ type: "image", mime_type: "image/png" }]);
  });

  test("of an execution that is run again overwrite nothing", async () => {
    const { run, session } = live();
    const path = await session();
    const names = async () => (await run(path, "plt.plot([1]); plt.show()", { exec_id: "again" })).artifact.map((one) => one.file_name);
    expect([await names(), await names()]).toEqual([["again-display-1_image.png"], ["again-display-2_image.png"]]);
  });
});

describe("a rich display", () => {
  test.each([
    [
      "HTML",
      "from IPython.display import HTML, display\ndisplay(HTML('<b>ü</b>'))",
      { type: "html", mime_type: "text/html", file_content: "<b>ü</b>" },
    ],
    [
      "Markdown",
      "from IPython.display import Markdown, display\ndisplay(Markdown('# ü'))",
      { type: "txt", mime_type: "text/markdown", file_content: "# ü" },
    ],
    [
      "LaTeX",
      "from IPython.display import Latex, display\ndisplay(Latex('$x$'))",
      { type: "txt", mime_type: "text/latex", file_content: "$x$" },
    ],
    [
      "JSON",
      "from IPython.display import JSON, display\ndisplay(JSON({'a': ['b']}))",
      { type: "txt", mime_type: "application/json", file_content: '{"a":["b"]}' },
    ],
    [
      "SVG",
      "from IPython.display import SVG, display\ndisplay(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
      { type: "svg", mime_type: "image/svg+xml" },
    ],
    [
      "Plotly",
      "display({'application/vnd.plotly.v1+json': {'data': []}, 'text/plain': 'Figure'}, raw=True)",
      { type: "chart", file_content: '{"data":[]}' },
    ],
    ["Vega", "display({'application/vnd.vegalite.v5+json': {'mark': 'bar'}}, raw=True)", { type: "chart", file_content: '{"mark":"bar"}' }],
    ["plain text", "display('only text')", { type: "txt", mime_type: "text/plain", file_content: "'only text'" }],
  ])("of %s is an artifact with its content and its file", async (_, code, expected) => {
    const { run, path } = live();
    const { artifact, error } = await run(path, code);
    expect(error).toBeNull();
    expect(artifact).toMatchObject([{ ...expected, file_content_encoding: "str" }]);
    expect(await (await fetch(artifact[0]!.download_url)).text()).toBe(artifact[0]!.file_content);
  });

  test("of a table with styles is an artifact beside the value's text; a plain table is text alone", async () => {
    const { run, path } = live();
    expect((await run(path, "pd.DataFrame({'a': [1]})")).artifact).toEqual([]);
    const { artifact } = await run(path, "from IPython.display import HTML\nHTML('<table></table>')");
    expect(artifact).toMatchObject([{ type: "html" }]);
  });
});

describe("a display that updates itself", () => {
  test("is one artifact with its last state, and each state was an event", async () => {
    const { stream, path } = live();
    const code = "handle = display('0%', display_id='bar')\nfor i in (50, 100): handle.update(f'{i}%')";
    const frames = await stream(path, code, { exec_id: "bar" });
    const shown = frames.filter((frame) => frame.event === "artifact");
    expect(shown.at(-1)?.data).toMatchObject({ display_id: "bar", file_content: "'100%'" });
    expect(frames.at(-2)?.data["artifact"]).toMatchObject([{ name: "bar-display-1", file_content: "'100%'", display_id: "bar" }]);
  });

  test("as a live plot does, with clear_output, leaves one picture", async () => {
    const { run, session, info } = live();
    const path = await session();
    const code = "from IPython.display import clear_output\nfor n in range(3):\n    clear_output(wait=True)\n    plt.plot([n]); plt.show()";
    const { artifact } = await run(path, code, { exec_id: "plot" });
    expect(artifact.map((one) => one.file_name)).toEqual(["plot-display-1_image.png"]);
    expect(await readdir((await info(path)).cwd)).toEqual(["plot-display-1_image.png"]);
  });
});

test("the URL of an artifact is made from the host that its reader called", async () => {
  const { run, path, url } = live();
  await run(path, "display('x')", { exec_id: "host" });
  const { port } = new URL(url);
  for (const host of ["127.0.0.1", "localhost"]) {
    const answer = await fetch(`http://${host}:${port}/api/v1${path}/execute/host`);
    const { result } = (await answer.json()) as { result: ExecutionResult };
    expect(result.artifact[0]?.download_url).toBe(`http://${host}:${port}/api/v1${path}/artifacts/host-display-1_image.txt`);
  }
});
