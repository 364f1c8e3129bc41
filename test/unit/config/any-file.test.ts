/** Whatever stands in a configuration file: settings that fit their schemas, or one sentence that names the file and gives no secret away. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  CONFIG_FILE_NAME,
  fileKey,
  loadConfigFile,
  resolveClientSettings,
  resolveGatewaySettings,
  resolveModelSettings,
  resolveServerSettings,
  SETTING_NAMES,
  settingSchema,
} from "../../../src/config.ts";
import { UsageError } from "../../../src/errors.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const RESOLVERS = [resolveServerSettings, resolveClientSettings, resolveGatewaySettings, resolveModelSettings];

/** Reads it as each command would; the sentences of those that refuse it. Anything else that is thrown fails the test. */
function refusals(content: string | Uint8Array): string[] {
  writeFileSync(join(folder, CONFIG_FILE_NAME), content);
  return RESOLVERS.flatMap((resolve) => {
    try {
      resolve({}, {}, loadConfigFile({ project: folder }));
      return [];
    } catch (error) {
      if (error instanceof UsageError) return [error.message];
      throw error;
    }
  });
}

const settingKey = fc.constantFrom(...SETTING_NAMES).map(fileKey);
const slip = fc
  .tuple(settingKey, fc.nat(30), fc.string({ maxLength: 1 }))
  .map(([key, at, by]) => key.slice(0, at) + by + key.slice(at + 1));
const nastyKey = fc.constantFrom(
  "__proto__",
  "constructor",
  "toString",
  "execution",
  "execution.server",
  "execution.server.",
  ".",
  "",
  "llm",
);
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom("2g", "-1", "1e999", "0x10", "\0", "..", "/", "auto", "none", "localhost:0", [], {}, -0, 1e308, -1),
);
const entry = fc.tuple(fc.oneof({ weight: 4, arbitrary: settingKey }, slip, nastyKey, fc.string({ maxLength: 8 })), value);
/** Written by hand: keys may come twice, and `__proto__` is a key like any other. */
const file = fc
  .array(entry, { maxLength: 5 })
  .map((entries) => `{${entries.map(([key, given]) => `${JSON.stringify(key)}: ${JSON.stringify(given)}`).join(", ")}}`);

test("any settings are taken or refused in a sentence that names the file", () => {
  fc.assert(
    fc.property(file, (text) => {
      for (const sentence of refusals(text)) expectHelp(sentence);
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("any bytes are taken for what they say or refused in a sentence that names the file", () => {
  const near = fc.tuple(file, fc.nat(80), fc.uint8Array({ maxLength: 3 })).map(([text, at, junk]) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at + junk.length)]);
  });
  const deep = fc.integer({ min: 1, max: 100_000 }).map((depth) => Buffer.from("[".repeat(depth)));
  fc.assert(
    fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 40 }), { weight: 1, arbitrary: deep }), (bytes) => {
      for (const sentence of refusals(bytes)) expectHelp(sentence);
    }),
    { numRuns: 100 },
  );
});

test("a secret that does not fit is not shown", () => {
  const secrets = SETTING_NAMES.filter((name) => settingSchema(name).notes.secret === true);
  expect(secrets.length).toBeGreaterThan(0);
  for (const name of secrets) {
    const sentences = refusals(JSON.stringify({ [fileKey(name)]: { key: "hunter2" } }));
    expect(sentences.length).toBeGreaterThan(0);
    expect(sentences.join("\n")).not.toContain("hunter2");
  }
});

/** It names the file, or what is missing from all places where it could be said. */
function expectHelp(sentence: string): void {
  expect(sentence).toMatch(/[.?]$/);
  if (!/needs|certificate/.test(sentence)) expect(sentence).toContain(folder);
}
