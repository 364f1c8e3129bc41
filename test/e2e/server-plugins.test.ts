/** Plugins as TaskWeaver's authors write them: classes and functions, configuration, session variables, artifacts, tests. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const live = sharedByAll(() => startLiveServer());

const CLASS = `
from taskweaver.plugin import Plugin, register_plugin, test_plugin
import pandas as pd

@register_plugin
class SqlPullData(Plugin):
    def __call__(self, query: str):
        self.log("info", "asked: " + query)
        api = self.config.get("api_type", "none")
        self.ctx.log("warning", "tag", "from the context")
        return pd.DataFrame({"query": [query], "api": [api]}), self.ctx.get_session_var("user", "nobody")

@test_plugin(name="works", description="asks a question")
def test_works(plugin):
    frame, user = plugin("q")
    assert user == "nobody" or user

@test_plugin()
def test_fails(plugin):
    """always fails"""
    raise ValueError("on purpose")
`;

const FUNCTION = `
from taskweaver.plugin import register_plugin

@register_plugin
def double(x):
    return 2 * x
`;

const ARTIFACTS = `
from taskweaver.plugin import Plugin, register_plugin

@register_plugin
class Maker(Plugin):
    def __call__(self):
        id, path = self.ctx.create_artifact_path("table", "t.csv", "df", "a table")
        with open(path, "w") as f: f.write("a,b\\n1,2\\n")
        self.ctx.add_artifact("note", "n.txt", "txt", "some text", "a note")
        return [self.name, self.ctx.session_id, self.ctx.env_id, self.ctx.execution_id,
                self.get_env("KEY"), self.ctx.wrap_text_with_delimiter_temporal("t")]
`;

describe("a class", () => {
  test("loads with its configuration, is called by its name, logs, and knows the session's variables", async () => {
    const { session, run, call } = live();
    const path = await session();
    const loaded = await call("POST", `${path}/plugins`, { name: "sql_pull_data", code: CLASS, config: { api_type: "azure" } });
    expect([loaded.status, loaded.json]).toEqual([200, { name: "sql_pull_data", status: "loaded" }]);
    await call("POST", `${path}/variables`, { variables: { user: "Ada" } });
    const result = await run(path, "df, user = sql_pull_data('how many?')\n[df['api'][0], user]");
    expect(result).toMatchObject({ output: ["azure", "Ada"], error: null });
    expect(result.log).toEqual([
      ["info", "Plugin-sql_pull_data", "asked: how many?"],
      ["warning", "tag", "from the context"],
    ]);
    expect(result.variables.map(([name]) => name)).toEqual(["df", "user"]);
  });

  test("runs its tests, each with its name, description and how it went", async () => {
    const { session, call } = live();
    const path = await session();
    await call("POST", `${path}/plugins`, { name: "sql_pull_data", code: CLASS });
    const answer = await call("POST", `${path}/plugins/sql_pull_data/test`);
    expect([answer.status, answer.json]).toMatchObject([
      200,
      {
        name: "sql_pull_data",
        is_success: false,
        tests: [
          { name: "works", description: "asks a question", is_success: true, error: null },
          { name: "test_fails", description: "always fails", is_success: false, error: expect.stringContaining("on purpose") },
        ],
      },
    ]);
  });
});

describe("a function", () => {
  test("is called by the plugin's name and logs each call", async () => {
    const { session, run, call } = live();
    const path = await session();
    await call("POST", `${path}/plugins`, { name: "twice", code: FUNCTION });
    expect(await run(path, "twice(21)")).toMatchObject({ output: 42, log: [["info", "Plugin-twice", "calling function double"]] });
  });

  test("that is loaded again is replaced, and gone once it is unloaded", async () => {
    const { session, run, call, info } = live();
    const path = await session();
    await call("POST", `${path}/plugins`, { name: "f", code: FUNCTION });
    await call("POST", `${path}/plugins`, { name: "f", code: FUNCTION.replace("2 * x", "3 * x") });
    expect((await run(path, "f(2)")).output).toBe(6);
    expect((await info(path)).loaded_plugins).toEqual(["f"]);
    expect((await call("DELETE", `${path}/plugins/f`)).json).toEqual({ name: "f", status: "unloaded" });
    expect((await run(path, "f(2)")).error).toContain("NameError");
  });
});

test("artifacts of plugins come after displays, as files of the contract's names", async () => {
  const { session, run, call, info } = live();
  const path = await session({ env: { PLUGIN_maker_KEY: "secret" } });
  await call("POST", `${path}/plugins`, { name: "maker", code: ARTIFACTS });
  const result = await run(path, "display('shown')\nmaker()", { exec_id: "exec-1" });
  const sessionId = path.split("/").at(-1);
  expect(result.output).toEqual([
    "maker",
    sessionId,
    "server",
    "exec-1",
    "secret",
    "{{DELIMITER_START_TEMPORAL}}t{{DELIMITER_END_TEMPORAL}}",
  ]);
  expect(result.artifact[0]?.name).toBe("exec-1-display-1");
  const [note, table] = result.artifact.slice(1).toSorted((one, other) => (one.name < other.name ? -1 : 1));
  expect(note).toMatchObject({
    name: "note",
    type: "txt",
    original_name: "n.txt",
    file_name: expect.stringMatching(/^obj_1_txt_[0-9a-f]{4}_n\.txt$/),
  });
  expect(table).toMatchObject({
    name: "table",
    type: "df",
    original_name: "t.csv",
    file_name: expect.stringMatching(/^obj_1_df_[0-9a-f]{4}_t\.csv$/),
  });
  for (const artifact of result.artifact) {
    const { cwd } = await info(path);
    expect(await (await fetch(artifact.download_url)).text()).toBe(await readFile(join(cwd, artifact.file_name), "utf8"));
  }
  expect(await (await fetch(table!.download_url)).text()).toBe("a,b\n1,2\n");
});

describe("a plugin that does not load", () => {
  test.each([
    ["is not Python", "def (", /SyntaxError|syntax/i],
    ["raises", "raise RuntimeError('while loading')", /while loading/],
    ["registers nothing", "x = 1", /regist/],
    ["imports what is not there", "import no_such_module", /no_such_module/],
    ["ends the kernel", "import os; os._exit(5)", /ended the kernel/],
    ["exits", "import sys; sys.exit(5)", /./],
  ])("because it %s is 400 with the reason, and the session goes on", async (_, code, reason) => {
    const { session, run, call, info } = live();
    const path = await session();
    await run(path, "kept = 1");
    const answer = await call("POST", `${path}/plugins`, { name: "broken", code });
    expect([answer.status, answer.json["code"]]).toEqual([400, "plugin_failed"]);
    expect(answer.json["detail"]).toMatch(reason);
    expect((await run(path, "1 + 1")).output).toBe(2);
    expect((await info(path)).loaded_plugins).toEqual([]);
  });

  test("leaves the one of that name that is loaded as it was", async () => {
    const { session, run, call } = live();
    const path = await session();
    await call("POST", `${path}/plugins`, { name: "f", code: FUNCTION });
    expect((await call("POST", `${path}/plugins`, { name: "f", code: "raise ValueError()" })).status).toBe(400);
    expect((await run(path, "f(2)")).output).toBe(4);
  });
});
