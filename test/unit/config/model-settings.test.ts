/** What the chat is told of its model: where values come from, what each service needs, and what is said when something is missing. */
import { describe, expect, test } from "vitest";
import { lacksModel, resolveModelSettings, type ConfigFile } from "../../../src/config.ts";
import { UsageError } from "../../../src/errors.ts";

const NO_ENVIRONMENT = {};

describe("the model's settings", () => {
  test("without a model there are none", () => {
    expect(resolveModelSettings({}, NO_ENVIRONMENT, null)).toBeNull();
    expect(resolveModelSettings({}, NO_ENVIRONMENT, file({ llm_api_key: "k", llm_api_base: "http://far.example/v1" }))).toBeNull();
  });

  test("a service without a model is a half-finished configuration", () => {
    expect(lacksModel({}, NO_ENVIRONMENT, file({ llm_api_key: "k" }))).toBe(true);
    expect(lacksModel({}, NO_ENVIRONMENT, file({ llm_api_key: "k", llm_model: "m" }))).toBe(false);
    expect(lacksModel({}, NO_ENVIRONMENT, null)).toBe(false);
  });

  test("TaskWeaver's own configuration is understood as it is", () => {
    const values = { llm_api_type: "openai", llm_api_base: "https://api.openai.com/v1", llm_api_key: "key", llm_model: "gpt-4.1" };
    expect(resolveModelSettings({}, NO_ENVIRONMENT, file(values))).toEqual({
      apiType: "openai",
      apiBase: "https://api.openai.com/v1",
      apiKey: "key",
      model: "gpt-4.1",
      sendsImages: false,
      azureApiVersion: "2024-06-01",
    });
  });

  test("flags win over environment, environment over file", () => {
    const inFile = file({ llm_model: "of-file", llm_api_key: "of-file" });
    const environment = { TASKWEAVER_LLM_MODEL: "of-environment", TASKWEAVER_LLM_API_KEY: "of-environment" };
    expect(resolveModelSettings({}, environment, inFile)).toMatchObject({ model: "of-environment", apiKey: "of-environment" });
    expect(resolveModelSettings({ llm_model: "of-flag" }, environment, inFile)).toMatchObject({ model: "of-flag" });
  });

  test.each([
    ["", "http://localhost:11434/v1"],
    ["http://localhost:11434", "http://localhost:11434/v1"],
    ["http://gpu.example:11434/api", "http://gpu.example:11434/v1"],
    ["http://localhost:11434/v1/", "http://localhost:11434/v1"],
  ])("Ollama at %j is spoken to at %s, without a key", (base, expected) => {
    const values = { llm_api_type: "ollama", llm_api_base: base, llm_model: "qwen3" };
    expect(resolveModelSettings({}, NO_ENVIRONMENT, file(values))).toMatchObject({ apiBase: expected, apiKey: null });
  });

  test("OPENAI_API_KEY goes to OpenAI's own service only", () => {
    const environment = { OPENAI_API_KEY: "secret", TASKWEAVER_LLM_MODEL: "m" };
    expect(resolveModelSettings({}, environment, null)).toMatchObject({ apiBase: "https://api.openai.com/v1", apiKey: "secret" });
    expect(resolveModelSettings({ llm_api_base: "http://localhost:1234/v1" }, environment, null)).toMatchObject({ apiKey: null });
  });

  test.each([
    [{ llm_model: "m" }, /no key .* https:\/\/api\.openai\.com\/v1: set TASKWEAVER_LLM_API_KEY, or "llm\.api_key" in .*console/],
    [{ llm_model: "m", llm_api_type: "azure", llm_api_base: "https://r.openai.azure.com" }, /no key .*azure/],
    [{ llm_model: "m", llm_api_type: "azure", llm_api_key: "k" }, /Azure's address is missing: set TASKWEAVER_LLM_API_BASE/],
    [{ llm_model: "m", llm_api_type: "qwen" }, /"llm\.api_type" in .* must be one of openai, azure, ollama.*llm\.api_base/],
    [{ llm_model: "m", llm_api_base: "localhost:1234" }, /"llm\.api_base" in .* must be an http or https URL/],
  ])("%j is a sentence", (values, sentence) => {
    expect(() => resolveModelSettings({}, NO_ENVIRONMENT, file(values))).toThrow(UsageError);
    expect(() => resolveModelSettings({}, NO_ENVIRONMENT, file(values))).toThrow(sentence);
  });

  test("a key that is none is not shown", () => {
    expect(() => resolveModelSettings({}, NO_ENVIRONMENT, file({ llm_api_key: 12_345 }))).toThrow(
      /must be a string, not the value given\./,
    );
  });
});

function file(values: ConfigFile["values"]): ConfigFile {
  return { path: "/p/taskweaver_config.json", directory: "/p", values };
}
