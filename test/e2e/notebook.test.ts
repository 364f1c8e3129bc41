/** The notebook export, read by Jupyter's own libraries: nbformat validates it, nbclient runs it again. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testPython } from "../helpers/python.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const run = promisify(execFile);

interface Cell {
  id: string;
  source: string;
  outputs: Record<string, unknown>[];
  metadata: { tags?: string[] };
}

const FIGURE = `import matplotlib
matplotlib.use("module://matplotlib_inline.backend_inline")
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()`;

describe("the notebook of a session", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const notebookOf = async (sessionId: string): Promise<{ text: string; cells: Cell[] }> => {
    const response = await fetch(`${server.url}/api/v1/sessions/${sessionId}/notebook`);
    expect(response.status).toBe(200);
    const text = await response.text();
    return { text, cells: (JSON.parse(text) as { cells: Cell[] }).cells };
  };

  it("validates with nbformat, and nbclient runs it again to the same outputs", async () => {
    await using session = await server.client.start("exported");
    await session.executeCode("import sys\nprint('one')\nprint('two', file=sys.stderr)\nx = 20 + 1");
    await session.executeCode("from IPython.display import HTML, display\nprint('before')\ndisplay(HTML('<b>bold</b>'))\nprint('after')");
    await session.executeCode(FIGURE);
    await session.executeCode(
      "class Table:\n  def __repr__(self): return 'plain'\n  def _repr_html_(self): return '<table></table>'\nTable()",
    );
    await session.executeCode("class Strange(Exception): pass\nraise Strange('line one\\n\\nline two')");
    await session.executeCode("x * 2");
    const { text, cells } = await notebookOf("exported");
    const file = join(server.workDir, "exported.ipynb");
    await writeFile(file, text);
    const { stdout } = await run(testPython(), ["-c", VALIDATE_AND_RUN, file]);
    const again = (JSON.parse(stdout) as { cells: Cell[] }).cells;
    expect(cells.map((cell) => cell.outputs.map(withoutNumbers))).toEqual([
      expect.arrayContaining([
        { output_type: "stream", name: "stdout", text: "one\n" },
        { output_type: "stream", name: "stderr", text: "two\n" },
      ]),
      [
        { output_type: "stream", name: "stdout", text: "before\n" },
        { output_type: "display_data", data: { "text/html": "<b>bold</b>", "text/plain": expect.any(String) }, metadata: {} },
        { output_type: "stream", name: "stdout", text: "after\n" },
      ],
      [{ output_type: "display_data", data: { "image/png": expect.any(String), "text/plain": expect.any(String) }, metadata: {} }],
      [{ output_type: "execute_result", data: { "text/html": "<table></table>", "text/plain": "plain" }, metadata: {} }],
      [{ output_type: "error", ename: "Strange", evalue: "line one\n\nline two", traceback: expect.any(Array) }],
      [{ output_type: "execute_result", data: { "text/plain": "42" }, metadata: {} }],
    ]);
    expect(again.map((cell) => cell.outputs.map((output) => output["output_type"])).slice(1)).toEqual(
      cells.map((cell) => cell.outputs.map((output) => output["output_type"])).slice(1),
    );
    expect(again.at(-1)?.outputs[0]?.["data"]).toEqual({ "text/plain": ["42"] });
  });

  it("marks what was stopped, so that running it again does not hang", async () => {
    await using session = await server.client.start("stopped");
    await session.executeCode("import time\ntime.sleep(60)", { executionTimeoutMs: 200 });
    const { cells } = await notebookOf("stopped");
    expect(cells[0]?.metadata.tags).toEqual(["skip-execution"]);
    expect(cells[0]?.outputs).toMatchObject([{ output_type: "error", ename: "TimeoutError" }]);
  });

  it("holds what a running execution has shown so far, and not what still waits", async () => {
    await using session = await server.client.start("running");
    const running = session.executeCode("import time\nprint('so far', flush=True)\ntime.sleep(60)", { executionId: "runs" });
    void session.executeCode("never", { executionId: "waits" });
    for await (const event of running) if (event.event === "output") break;
    const { cells } = await notebookOf("running");
    expect(cells.map((cell) => cell.outputs)).toEqual([[{ output_type: "stream", name: "stdout", text: "so far\n" }]]);
  });

  it("is shown by browsers, or saved where the query asks for that", async () => {
    await using session = await server.client.start("named.session");
    const url = `${server.url}/api/v1/sessions/${session.sessionId}/notebook`;
    const [shown, saved, refused, missing] = await Promise.all(
      [url, `${url}?download=1`, `${url}?download=yes`, `${server.url}/api/v1/sessions/none/notebook`].map((each) => fetch(each)),
    );
    expect(shown?.headers.get("content-disposition")).toBe('inline; filename="named.session.ipynb"');
    expect(saved?.headers.get("content-disposition")).toBe('attachment; filename="named.session.ipynb"');
    expect(shown?.headers.get("content-type")).toBe("application/x-ipynb+json; charset=utf-8");
    expect([refused?.status, missing?.status]).toEqual([422, 404]);
  });
});

function withoutNumbers(output: Record<string, unknown>): Record<string, unknown> {
  const { execution_count: _, ...rest } = output;
  return rest;
}

const VALIDATE_AND_RUN = `
import json, sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=nbformat.NO_CONVERT)
nbformat.validate(notebook)
assert notebook.nbformat == 4 and notebook.nbformat_minor == 5
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
nbformat.validate(notebook)
print(nbformat.writes(notebook))
`;
