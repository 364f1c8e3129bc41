/** What the model is told before anything else: its task, how code is run, which plugins there are. */
import { CODE_TOOL } from "./model/language-model.ts";
import { pluginText, type PluginDescription } from "./plugin-description.ts";

/** What the prompt is made from. */
export interface PromptOptions {
  plugins: readonly PluginDescription[];
  /** The caller's own words, added at the end. */
  instructions: string;
}

/**
 * The system prompt.
 * @param withTool Whether the model calls a tool, or writes fenced blocks.
 */
export function systemPrompt({ plugins, instructions }: PromptOptions, withTool: boolean): string {
  return [
    INTRODUCTION,
    withTool ? WITH_TOOL : WITH_FENCES,
    RULES,
    ...(plugins.length === 0 ? [] : [`${ABOUT_PLUGINS}\n\n${pluginText(plugins)}`]),
    ...(instructions.trim() === "" ? [] : [instructions.trim()]),
  ].join("\n\n");
}

const INTRODUCTION =
  "You answer questions and do tasks by writing Python, which runs in a Jupyter kernel of the user's. Variables, imports and files stay from one piece of code to the next. You get what the code printed, the value of its last expression, its traceback, and the names of the figures and files it made.";

const WITH_TOOL = `To run code, call ${CODE_TOOL.name}. Code in your text is shown to the user and not run.`;

const WITH_FENCES =
  "To run code, write one block that begins with a line ```python and ends with a line ```, and stop there: its output is the next message. A block that is only to be read by the user begins with ```text instead. Never write what the output might be.";

const RULES = `Rules:
- Where a task takes several steps, say in a sentence or two what you are going to do; then do one step at a time and look at its output.
- Look at data before you work on it: names, types, a few rows.
- Where code fails, find the reason in the traceback and run a corrected version. Do not run the same code again.
- Print what you need to see; long output is shortened. The user sees output and figures too; show figures with plt.show(), save files in the current folder.
- Rely on what the code returned, not on what it should have returned.
- When you are done, answer in plain words, in the user's language, without code unless the user asked for it.
- A question that needs no code is answered without.`;

const ABOUT_PLUGINS =
  "These functions are already defined in the kernel. Prefer them where they fit, call them as they are declared, and neither import nor redefine them:";
