// A plugin: Python of yours that sessions call by name, with a configuration and tests of its own.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { ExecutionClient } from "taskweaver-executor/client";

const client = new ExecutionClient({ url: process.env.TASKWEAVER_URL, apiKey: process.env.TASKWEAVER_API_KEY });
const session = await client.start();
try {
  const code = await readFile(new URL("convert_currency.py", import.meta.url), "utf8");
  await session.loadPlugin({ name: "convert_currency", code, config: { rates: { EUR: 1, USD: 1.25 } } });

  const tests = await session.testPlugin("convert_currency");
  assert.equal(tests.is_success, true);
  console.log("tests:", tests.tests.map((test) => test.name).join(", "));

  const result = await session.executeCode('convert_currency(10, "EUR", "USD")');
  console.log("10 EUR in USD:", result.output);
  assert.equal(result.output, 12.5);
  assert.deepEqual(result.log, [["info", "Plugin-convert_currency", "10 EUR is 12.5 USD"]]);
} finally {
  await session.stop();
}
