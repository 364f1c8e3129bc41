/** Plugins as files: TaskWeaver's YAML beside its Python. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readPluginFile, readProjectPlugins } from "../../../src/cli/plugin-files.ts";
import { UsageError } from "../../../src/errors.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plugins-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

// As TaskWeaver's own project has them.
const SQL_PULL_DATA = `name: sql_pull_data
enabled: false
required: false
description: >-
  Pull data from a SQL database. This plugin takes user requests when obtaining data from database is explicitly mentioned.

examples: |-
  df, description = sql_pull_data("pull data from time_series table")

parameters:
  - name: query
    type: str
    required: true
    description: This is a natural language query

returns:
  - name: df
    type: pd.DataFrame
    description: This DataFrame contains the data
  - name: description
    type: str
    description: This is a string describing the data

configurations:
  api_type: azure or openai
  temperature: 0
`;

test("a project of TaskWeaver's is read as it is", () => {
  write({
    "plugins/sql_pull_data.yaml": SQL_PULL_DATA,
    "plugins/sql_pull_data.py": "code",
    "plugins/README.md": "no plugin",
    "plugins/klarna_search.yaml": "name: klarna_search\nenabled: true\nplugin_only: true\nparameters: []\nreturns: []\n",
    "plugins/klarna_search.py": "class K: pass",
  });
  const { plugins, broken } = readProjectPlugins(folder);
  expect(broken).toEqual([]);
  expect(plugins.map(({ name, isEnabled, code, config }) => ({ name, isEnabled, code, config }))).toEqual([
    { name: "klarna_search", isEnabled: true, code: "class K: pass", config: {} },
    { name: "sql_pull_data", isEnabled: false, code: "code", config: { api_type: "azure or openai", temperature: 0 } },
  ]);
  expect(plugins[1]!.description).toContain("Pull data from a SQL database.");
});

test("several descriptions may share one implementation", () => {
  write({
    "plugins/one.yaml": "name: one\ncode: shared\nconfigurations: {n: 1}\n",
    "plugins/two.yml": "name: two\ncode: shared.py\nconfigurations: {n: 2}\n",
    "plugins/shared.py": "shared",
  });
  const { plugins } = readProjectPlugins(folder);
  expect(plugins.map(({ name, code, config }) => [name, code, config])).toEqual([
    ["one", "shared", { n: 1 }],
    ["two", "shared", { n: 2 }],
  ]);
});

test("one broken file spoils no other, and says what is wrong with it", () => {
  write({
    "plugins/a.yaml": "name: a\n",
    "plugins/b.yaml": "name: [b\n",
    "plugins/c.yaml": "just text\n",
    "plugins/d.yaml": "enabled: true\n",
    "plugins/e.yaml": "name: e\nenabled: maybe\n",
    "plugins/f.yaml": "name: f\ncode: ../../etc/passwd\n",
    "plugins/g.yaml": "name: good\ncode: good\n",
    "plugins/h.yaml": "name: good\ncode: good\n",
    "plugins/good.py": "x",
  });
  const { plugins, broken } = readProjectPlugins(folder);
  expect(plugins.map(({ name }) => name)).toEqual(["good"]);
  expect(broken.map(({ error }) => error.message.replaceAll(`${folder}/plugins/`, ""))).toEqual([
    expect.stringMatching(/^a\.py, which a\.yaml asks for, cannot be read: ENOENT/),
    expect.stringMatching(/^b\.yaml is not valid YAML: /),
    'c.yaml must describe one plugin: a mapping with at least "name".',
    'd.yaml names no plugin: "name" is missing.',
    '"enabled" in e.yaml must be true or false.',
    '"code" in f.yaml must be the name of a Python file beside it.',
    'h.yaml describes "good", which g.yaml does already.',
  ]);
});

test("a project without plugins has none", () => {
  expect(readProjectPlugins(folder)).toEqual({ plugins: [], broken: [] });
});

test("a single plugin is its YAML, or its Python, with the YAML beside it where there is one", () => {
  write({ "p.py": "p", "q.py": "q", "q.yaml": "name: named\ncode: q\nconfigurations: {a: 1}\n" });
  expect(readPluginFile(join(folder, "p.py"))).toEqual({ name: "p", code: "p" });
  expect(readPluginFile(join(folder, "q.py"))).toMatchObject({ name: "named", code: "q", config: { a: 1 } });
  expect(readPluginFile(join(folder, "q.yaml"))).toMatchObject({ name: "named" });
  expect(() => readPluginFile(join(folder, "r.py"))).toThrow(UsageError);
  expect(() => readPluginFile(join(folder, "s.txt"))).toThrow(/is no plugin/);
});
