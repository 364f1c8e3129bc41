/** What the chat is told of its language model: which one, where its service is, and the key for it. */
import { UsageError } from "../errors.ts";
import type { ConfigFile } from "./file.ts";
import { layerSettings, type Environment, type FlagValues, type LayeredSettings } from "./layers.ts";
import { environmentName, fileKey } from "./settings.ts";

/** The kinds of services that can be spoken to. */
export const MODEL_SERVICES = ["openai", "azure", "ollama"] as const;

/** A language model and its service. */
export interface ModelSettings {
  /** `openai` stands for every service that is compatible with it. */
  apiType: (typeof MODEL_SERVICES)[number];
  /** Without a slash at its end. */
  apiBase: string;
  /** null: the service asks for none. */
  apiKey: string | null;
  model: string;
  /** Whether figures go along as images. */
  sendsImages: boolean;
  /** Of `azure` only. */
  azureApiVersion: string;
}

const OPENAI_BASE = "https://api.openai.com/v1";
const OLLAMA_BASE = "http://localhost:11434";

/**
 * Resolves the model's settings: flags over environment over file over defaults.
 * @returns null where no model is named.
 * @throws UsageError where a value does not fit, or a key or an address is missing.
 */
export function resolveModelSettings(
  flags: FlagValues = {},
  env: Environment = process.env,
  file: ConfigFile | null = null,
): ModelSettings | null {
  const layers = layerSettings(flags, env, file);
  const { values } = layers;
  if (values.llm_model === "") return null;
  const apiType = checkedType(layers);
  const apiBase = checkedBase(layers, apiType);
  // The key of OpenAI's own service is for nobody else.
  const common = apiType === "openai" && apiBase === OPENAI_BASE ? env["OPENAI_API_KEY"] : undefined;
  const apiKey = values.llm_api_key || common || null;
  if (apiKey === null && (apiType === "azure" || apiBase === OPENAI_BASE)) {
    const place = file === null ? "" : `, or "${fileKey("llm_api_key")}" in ${file.path}`;
    throw new UsageError(
      `There is no key for the model's service at ${apiBase}: set ${environmentName("llm_api_key")}${place}. \`taskweaver console\` works without a model.`,
    );
  }
  const { llm_model: model, llm_send_images: sendsImages, llm_azure_api_version: azureApiVersion } = values;
  return { apiType, apiBase, apiKey, model, sendsImages, azureApiVersion };
}

/** Whether a service was named and the model was forgotten. */
export function lacksModel(flags: FlagValues = {}, env: Environment = process.env, file: ConfigFile | null = null): boolean {
  const { values } = layerSettings(flags, env, file);
  return values.llm_model === "" && (values.llm_api_base !== "" || values.llm_api_key !== "");
}

function checkedType({ values, origins }: LayeredSettings): ModelSettings["apiType"] {
  const type = MODEL_SERVICES.find((each) => each === values.llm_api_type.trim().toLowerCase());
  if (type !== undefined) return type;
  throw new UsageError(
    `${origins.llm_api_type.label} is ${JSON.stringify(values.llm_api_type)}, but must be one of ${MODEL_SERVICES.join(", ")}: most services have an address that is compatible with OpenAI; put it into ${fileKey("llm_api_base")}, and "openai" here.`,
  );
}

function checkedBase({ values, origins }: LayeredSettings, apiType: ModelSettings["apiType"]): string {
  const given = values.llm_api_base.trim().replace(/\/+$/, "");
  if (given === "" && apiType === "azure") {
    throw new UsageError(
      `Azure's address is missing: set ${environmentName("llm_api_base")} or "${fileKey("llm_api_base")}", e.g. to https://my-resource.openai.azure.com.`,
    );
  }
  const base = given === "" ? (apiType === "ollama" ? OLLAMA_BASE : OPENAI_BASE) : given;
  if (!/^https?:\/\//.test(base) || !URL.canParse(base)) {
    throw new UsageError(`${origins.llm_api_base.label} must be an http or https URL like ${OPENAI_BASE}, not ${JSON.stringify(base)}.`);
  }
  // TaskWeaver's configurations name Ollama's own API; the compatible one lies below it.
  return apiType === "ollama" && !base.endsWith("/v1") ? `${base.replace(/\/api$/, "")}/v1` : base;
}
