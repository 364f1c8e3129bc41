/** An interpreter over the console's session: the configured model, the project's plugins, artifacts saved where the user finds them. */
import type { ModelSettings } from "../../config.ts";
import { CodeInterpreter, type CodeInterpreterOptions, type CodeRunner } from "../../interpreter/index.ts";
import type { ConsoleSession } from "../interactive/console-session.ts";
import type { Display } from "../interactive/display.ts";

/** Makes it. */
export function chatInterpreter(
  model: ModelSettings,
  session: ConsoleSession,
  display: Display,
  options: Pick<CodeInterpreterOptions, "confirm" | "onInput">,
): CodeInterpreter {
  return new CodeInterpreter({
    ...options,
    session: consoleRunner(session, display),
    model: {
      model: model.model,
      apiBase: model.apiBase,
      apiKey: model.apiKey,
      apiType: model.apiType === "azure" ? "azure" : "openai",
      azureApiVersion: model.azureApiVersion,
    },
    plugins: session.plugins.filter(({ plugin, error }) => plugin.isEnabled && error === null).map(({ plugin }) => plugin),
    sendImages: model.sendsImages,
  });
}

function consoleRunner(session: ConsoleSession, display: Display): CodeRunner {
  return {
    run: (code, handlers) =>
      session.execute(code, {
        onOutput: (text, stream) => handlers.onOutput(text, stream),
        onArtifact: async (artifact, saver) => {
          await display.artifact(artifact, saver);
          await handlers.onArtifact(artifact);
        },
        onInput: handlers.onInput,
      }),
    interrupt: async () => {
      await session.interrupt();
    },
  };
}
