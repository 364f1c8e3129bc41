/** A language model that answers by writing code, which a session runs: `CodeInterpreter`, its events and its parts. */
export { CodeInterpreter, type CodeInterpreterOptions } from "./code-interpreter.ts";
export { sessionRunner, type CodeRunner, type RunHandlers, type SessionRunnerOptions } from "./code-runner.ts";
export { INTERPRETER_FAULT_CODES, InterpreterError, type InterpreterErrorOptions, type InterpreterFaultCode } from "./error.ts";
export type { Answer, AnswerReason, InterpreterEvents, InterpreterListener, RetryReason } from "./events.ts";
export {
  CODE_TOOL,
  type CodeCall,
  type LanguageModel,
  type ModelMessage,
  type ModelRequest,
  type ReplyPart,
} from "./model/language-model.ts";
export { OpenAiModel, type OpenAiModelOptions } from "./model/openai-model.ts";
export type { PluginDescription, PluginValue } from "./plugin-description.ts";
export type { CodeProtocol } from "./reply-reader.ts";
