/** Where settings come from, which one wins, and what is said when one is wrong. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  environmentName,
  fileKey,
  flagName,
  loadConfigFile,
  resolveClientSettings,
  resolveServerSettings,
  SERVER_DEFAULTS,
  SETTING_NAMES,
  settingSchema,
  settingsTable,
  type ConfigFile,
} from "../../../src/config.ts";
import { UsageError } from "../../../src/errors.ts";
import { PACKAGE_ROOT } from "../../../src/paths.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(content: unknown, directory = folder): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "taskweaver_config.json"), typeof content === "string" ? content : JSON.stringify(content));
}

function load(content: unknown): ConfigFile {
  write(content);
  return loadConfigFile({ project: folder })!;
}

describe("the document's options", () => {
  // The configuration reference of the document, as it stands there.
  test.each([
    ["url", "http://localhost:8000"],
    ["api_key", ""],
    ["auto_start", true],
    ["container", false],
    ["container_image", "taskweavercontainers/taskweaver-executor:latest"],
    ["host", "localhost"],
    ["port", 8000],
    ["timeout", 300],
  ] as const)("execution.server.%s is %j by default", (name, value) => {
    expect(settingSchema(name).default).toBe(value);
  });

  test("without anything the client looks for, and may start, a server at the document's URL", () => {
    expect(resolveClientSettings({}, {}, null)).toMatchObject({
      url: "http://localhost:8000",
      isUrlGiven: false,
      mayStart: true,
      container: null,
      apiKey: null,
      timeoutMs: 300_000,
      isTimeoutGiven: false,
    });
  });

  test("the document's remote configuration is never started", () => {
    const file = load({
      "execution.server.url": "http://192.168.1.100:8000",
      "execution.server.api_key": "your-secret-key",
      "execution.server.auto_start": false,
    });
    expect(resolveClientSettings({}, {}, file)).toMatchObject({
      url: "http://192.168.1.100:8000",
      apiKey: "your-secret-key",
      mayStart: false,
    });
  });

  test("the document's container configuration asks for a container", () => {
    expect(resolveClientSettings({}, {}, load({ "execution.server.container": true })).container).toEqual({
      image: "taskweavercontainers/taskweaver-executor:latest",
      network: "bridge",
      memory: null,
      cpus: null,
      processes: 1024,
      gpus: null,
    });
  });
});

describe("layers", () => {
  test("flags win over environment, environment over file, file over default", () => {
    const file = load({ "execution.server.port": 1001 });
    const env = { TASKWEAVER_SERVER_PORT: "1002" };
    expect(SERVER_DEFAULTS.port).toBe(8000);
    expect(resolveServerSettings({}, {}, file).port).toBe(1001);
    expect(resolveServerSettings({}, env, file).port).toBe(1002);
    expect(resolveServerSettings({ port: "1003" }, env, file).port).toBe(1003);
  });

  test("an empty variable counts as absent", () => {
    expect(resolveServerSettings({}, { TASKWEAVER_SERVER_PORT: "", TASKWEAVER_SERVER_API_KEY: "" }, null)).toMatchObject({
      port: 8000,
      apiKey: null,
    });
  });

  test("text is read as what the setting is", () => {
    const env = {
      TASKWEAVER_SERVER_REQUIRE_KEY: "yes",
      TASKWEAVER_SERVER_CORS_ORIGINS: "https://a.example, https://b.example",
      TASKWEAVER_SERVER_INTERRUPT_GRACE: "2.5",
      TASKWEAVER_SERVER_LOG_LEVEL: "debug",
      TASKWEAVER_PYTHON: "python3.11",
      TASKWEAVER_ENV_ID: "lab",
    };
    expect(resolveServerSettings({}, env, null)).toMatchObject({
      requireKey: true,
      corsOrigins: ["https://a.example", "https://b.example"],
      interruptGraceMs: 2500,
      logLevel: "debug",
      python: "python3.11",
      envId: "lab",
    });
  });

  test("zero and minus one mean none, where the table says so", () => {
    expect(resolveServerSettings({ execution_timeout: "0", idle_timeout: "0", remove_files: "-1" }, {}, null)).toMatchObject({
      executionTimeoutMs: null,
      idleTimeoutMs: null,
      removeFilesAfterMs: null,
    });
    expect(resolveServerSettings({ execution_timeout: "2", idle_timeout: "3", remove_files: "0" }, {}, null)).toMatchObject({
      executionTimeoutMs: 2000,
      idleTimeoutMs: 3000,
      removeFilesAfterMs: 0,
    });
  });

  test("relative paths in the file begin at the project, those of flags where the user stands", () => {
    const file = load({ "execution.server.work_dir": "data", "execution.server.python": ".venv/bin/python" });
    expect(resolveServerSettings({}, {}, file)).toMatchObject({ workDir: join(folder, "data"), python: join(folder, ".venv/bin/python") });
    expect(resolveServerSettings({ work_dir: "data" }, {}, file).workDir).toBe(join(process.cwd(), "data"));
    expect(resolveServerSettings({}, {}, load({})).workDir).toBe(join(folder, "workspace"));
    expect(resolveServerSettings({}, {}, null).workDir).toBe(join(process.cwd(), "workspace"));
  });

  test("a key may be in a file that the environment names; a flag and the variable itself win over it, the configuration's file does not", () => {
    const path = join(folder, "key");
    writeFileSync(path, "from-a-file\n");
    const env = { TASKWEAVER_SERVER_API_KEY_FILE: path };
    const filed: ConfigFile = { path: "taskweaver_config.json", directory: folder, values: { api_key: "filed" } };
    expect(resolveServerSettings({}, env, filed).apiKey).toBe("from-a-file");
    expect(resolveServerSettings({}, { ...env, TASKWEAVER_SERVER_API_KEY: "variable" }, null).apiKey).toBe("variable");
    expect(resolveServerSettings({ api_key: "flag" }, env, null).apiKey).toBe("flag");
    expect(resolveServerSettings({}, { TASKWEAVER_SERVER_API_KEY_FILE: "" }, null).apiKey).toBe(null);
    // Only of what is secret.
    expect(resolveServerSettings({}, { TASKWEAVER_SERVER_HOST_FILE: path }, null).host).toBe("localhost");
  });

  test("a key's file that cannot be read or is empty is told, not passed over", () => {
    const path = join(folder, "key");
    const env = { TASKWEAVER_SERVER_API_KEY_FILE: path };
    expect(() => resolveServerSettings({}, env, null)).toThrow(/^TASKWEAVER_SERVER_API_KEY_FILE must name a file that can be read: ENOENT/);
    writeFileSync(path, "\n");
    expect(() => resolveServerSettings({}, env, null)).toThrow(
      new UsageError(`TASKWEAVER_SERVER_API_KEY_FILE names a file that is empty: ${path}.`),
    );
  });

  test.each([
    [{ port: "http" }, {}, '--port must be a whole number from 0 to 65535, not "http".'],
    [{ port: "70000" }, {}, "--port must be a whole number from 0 to 65535, not 70000."],
    [{ port: "" }, {}, '--port must be a whole number from 0 to 65535, not "".'],
    [
      {},
      { TASKWEAVER_SERVER_LOG_LEVEL: "loud" },
      'TASKWEAVER_SERVER_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud".',
    ],
    [{}, { TASKWEAVER_SERVER_REQUIRE_KEY: "maybe" }, 'TASKWEAVER_SERVER_REQUIRE_KEY must be true or false, not "maybe".'],
    [{}, { TASKWEAVER_SERVER_MAX_SESSIONS: "0" }, "TASKWEAVER_SERVER_MAX_SESSIONS must be a whole number, at least 1, not 0."],
    [{ session_memory: "much" }, {}, '--session-memory must be a size, e.g. 512m or 2g, not "much".'],
    [{ timeout: "0" }, {}, "--timeout must be a number above 0 and at most 31536000, not 0."],
  ])("a value that does not fit names where it is and what was expected: %j %j", (flags, env, sentence) => {
    expect(() => resolveServerSettings(flags, env, null)).toThrow(new UsageError(sentence));
  });
});

test("in the container kernels end after an hour without use, and locally never", () => {
  const text = readFileSync(join(PACKAGE_ROOT, "Dockerfile.executor"), "utf8");
  const env = Object.fromEntries([...text.matchAll(/(TASKWEAVER_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]));
  expect(resolveServerSettings({}, env, null)).toMatchObject({ idleTimeoutMs: 3_600_000, host: "0.0.0.0", workDir: "/app/workspace" });
  expect(resolveServerSettings({}, {}, null).idleTimeoutMs).toBe(null);
});

describe("a size", () => {
  test.each([
    ["2g", 2 * 1024 ** 3],
    ["512m", 512 * 1024 ** 2],
    ["1.5 GiB", 1.5 * 1024 ** 3],
    ["100KB", 100 * 1024],
    ["1048576", 1024 ** 2],
    ["0", null],
  ])("%s is %s bytes, null being no limit", (text, bytes) => {
    expect(resolveServerSettings({ session_memory: text }, {}, null).sessionMemoryBytes).toBe(bytes);
  });

  test("may be a plain number in the file", () => {
    write({ "execution.server.session_memory": 1048576 });
    expect(resolveServerSettings({}, {}, loadConfigFile({ project: folder })).sessionMemoryBytes).toBe(1024 ** 2);
  });
});

describe("the file", () => {
  test("is searched upwards from the current folder", () => {
    write({ "execution.server.port": 1234 });
    const below = join(folder, "a/b");
    mkdirSync(below, { recursive: true });
    expect(loadConfigFile({ from: below })).toMatchObject({ directory: folder, values: { port: 1234 } });
  });

  test("above the user's folder is not taken from where anyone may write", () => {
    write({ "execution.server.python": "/evil" });
    const below = join(folder, "mine");
    mkdirSync(below);
    chmodSync(folder, 0o1777);
    expect(loadConfigFile({ from: below })?.path).not.toBe(join(folder, "taskweaver_config.json"));
    expect(loadConfigFile({ from: folder })?.directory).toBe(folder);
  });

  test("may be missing in a named project, but the project may not", () => {
    expect(loadConfigFile({ project: folder })).toMatchObject({ directory: folder, values: {} });
    expect(() => loadConfigFile({ project: join(folder, "nowhere") })).toThrow(/taskweaver init/);
  });

  test("may hold settings of TaskWeaver's other parts", () => {
    expect(
      load({ "llm.response_format": "text", "execution_service.kernel_mode": "local", "session.max_internal_chat_round_num": 3 }).values,
    ).toEqual({});
  });

  test("may begin with a byte order mark", () => {
    expect(load('\uFEFF{"execution.server.port": 1}').values).toEqual({ port: 1 });
  });

  test.each([
    ['{"execution.server.port": 8000,}', /taskweaver_config\.json is not valid JSON/],
    ['{\n  "execution.server.port": 8000,\n}', /taskweaver_config\.json is not valid JSON: .* in line 3, column 1\.$/],
    ["[]", /must hold one JSON object/],
    ['{"execution.server.prot": 1}', /"execution\.server\.prot" .* did you mean "execution\.server\.port"\?/],
    ['{"execution.server.apiKey": "x"}', /did you mean "execution\.server\.api_key"\?/],
    ['{"execution.sever.url": "x"}', /did you mean "execution\.server\.url"\?/],
    ['{"execution.server.xyzzy_nothing_alike": 1}', /is not a setting; docs\/configuration\.md lists them\./],
    ['{"execution": {"server": {"port": 1}}}', /write each setting as one key/],
    ['{"execution.server.exit_when_unused": true}', /is not a setting/],
    ['{"execution.server.llm_model": "x"}', /is not a setting/],
    ['{"llm.modle": "x"}', /did you mean "llm\.model"\?/],
    ['{"llm.apiKey": "x"}', /did you mean "llm\.api_key"\?/],
  ])("%s is a sentence", (content, sentence) => {
    expect(() => load(content)).toThrow(UsageError);
    expect(() => load(content)).toThrow(sentence);
  });

  test.each([
    ['{"execution.server.port": "8000"}', '"execution.server.port" in FILE must be a whole number from 0 to 65535, not "8000".'],
    ['{"execution.server.auto_start": "yes"}', '"execution.server.auto_start" in FILE must be true or false, not "yes".'],
    ['{"execution.server.url": null}', '"execution.server.url" in FILE must be a string, not null.'],
    ['{"execution.server.cors_origins": "x"}', '"execution.server.cors_origins" in FILE must be a list of strings, not "x".'],
    ['{"execution.server.api_key": 123}', '"execution.server.api_key" in FILE must be a string, not the value given.'],
  ])("%s has a wrong type, which is said", (content, sentence) => {
    const file = load(content);
    expect(() => resolveClientSettings({}, {}, file)).toThrow(sentence.replace("FILE", file.path));
  });
});

describe("url, host and port", () => {
  test("without a url it is made from host and port", () => {
    expect(resolveClientSettings({}, {}, load({ "execution.server.host": "127.0.0.1", "execution.server.port": 9000 }))).toMatchObject({
      url: "http://127.0.0.1:9000",
      isUrlGiven: true,
      mayStart: true,
    });
  });

  test.each([
    ["0.0.0.0", "http://localhost:8000"],
    ["::", "http://localhost:8000"],
    ["::1", "http://[::1]:8000"],
  ])("a server bound to %s is reached at %s", (host, url) => {
    expect(resolveClientSettings({ host }, {}, null).url).toBe(url);
  });

  test.each(["http://192.168.1.5:8000", "https://lab.example.org", "https://localhost:8000", "http://localhost:8000/executor"])(
    "%s is not started",
    (url) => {
      expect(resolveClientSettings({ url }, {}, null).mayStart).toBe(false);
    },
  );

  test.each(["http://localhost:9000", "http://127.0.0.1:9000/", "http://[::1]:9000"])(
    "%s is this machine's and may be started there",
    (url) => {
      expect(resolveClientSettings({ url }, {}, null)).toMatchObject({ mayStart: true, port: 9000 });
    },
  );

  test("auto_start off starts nothing", () => {
    expect(resolveClientSettings({ auto_start: false }, {}, null).mayStart).toBe(false);
  });

  test.each([
    [{ "execution.server.url": "http://localhost:8000", "execution.server.port": 9000 }],
    [{ "execution.server.url": "http://far.example:8000", "execution.server.host": "localhost" }],
    [{ "execution.server.url": "https://far.example", "execution.server.port": 80 }],
  ])("%j contradicts itself", (content) => {
    const file = load(content);
    expect(() => resolveClientSettings({}, {}, file)).toThrow(/contradicts/);
  });

  test.each([
    [{ "execution.server.url": "http://localhost:9000", "execution.server.port": 9000 }],
    [{ "execution.server.url": "http://localhost:8000", "execution.server.host": "127.0.0.1" }],
    [{ "execution.server.url": "http://localhost:8000", "execution.server.host": "0.0.0.0" }],
  ])("%j agrees with itself", (content) => {
    const file = load(content);
    expect(() => resolveClientSettings({}, {}, file)).not.toThrow();
  });

  test("a stronger layer's url replaces a weaker layer's host and port", () => {
    const file = load({ "execution.server.host": "localhost", "execution.server.port": 9000 });
    expect(resolveClientSettings({ url: "http://far.example:1" }, {}, file)).toMatchObject({
      url: "http://far.example:1",
      mayStart: false,
    });
  });

  test("a stronger layer's port contradicts a weaker layer's url", () => {
    const file = load({ "execution.server.url": "http://localhost:8000" });
    expect(() => resolveClientSettings({ port: "9000" }, {}, file)).toThrow(/"execution\.server\.url" in .* contradicts --port \(9000\)/);
  });

  test.each(["localhost:8000", "nonsense", "ftp://x"])("%s is no url", (url) => {
    expect(() => resolveClientSettings({ url }, {}, null)).toThrow(/--url must be an http or https URL/);
  });
});

describe("the table", () => {
  test("has every setting that people set, with its variable and flag", () => {
    const tables = settingsTable("client") + settingsTable("server") + settingsTable("gateway");
    for (const name of SETTING_NAMES) {
      const isShown = settingSchema(name).notes.hidden !== true;
      expect(tables.includes(`\`${fileKey(name)}\``)).toBe(isShown);
      if (isShown) expect(tables).toContain(environmentName(name));
    }
    expect(flagName("work_dir")).toBe("--work-dir");
    expect(environmentName("work_dir")).toBe("TASKWEAVER_SERVER_WORK_DIR");
    expect(environmentName("llm_model")).toBe("TASKWEAVER_LLM_MODEL");
    expect(tables).not.toContain("--llm-api-key");
  });
});
