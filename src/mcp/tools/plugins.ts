/** Tools for plugins: loaded, tested, unloaded. */
import { Type } from "typebox";
import { text, type Tool } from "../tool.ts";
import { pluginName, record, session_id } from "./inputs.ts";

const LoadInput = Type.Object(
  {
    session_id,
    name: pluginName,
    code: Type.String({ description: "Python source that registers one plugin" }),
    config: Type.Optional(record(Type.Unknown(), "What the plugin sees as self.config")),
  },
  { additionalProperties: false },
);

/** `load_plugin` */
export const loadPlugin: Tool<typeof LoadInput> = {
  name: "load_plugin",
  title: "Load a plugin",
  description: `Loads a plugin into a session; its code can call it by its name from then on, also after a restart. The source registers a function or class:
from taskweaver.plugin import Plugin, register_plugin
@register_plugin
class Name(Plugin):
    def __call__(self, ...): ...
Loading a name again replaces it. One that does not load is refused with the reason; the session is unharmed.`,
  input: LoadInput,
  annotations: { destructiveHint: false, idempotentHint: true },
  async run({ session_id: id, name, code, config }, { client, defaultSession, signal }) {
    const session = await defaultSession.idFor(client, id);
    await client.loadPlugin(session, { name, code, config }, { signal });
    return text(`The plugin ${name} is loaded in the session ${session}: call ${name}(...) there.`);
  },
};

const NameInput = Type.Object({ session_id, name: pluginName }, { additionalProperties: false });

/** `unload_plugin` */
export const unloadPlugin: Tool<typeof NameInput> = {
  name: "unload_plugin",
  title: "Unload a plugin",
  description: "Removes a plugin from a session.",
  input: NameInput,
  annotations: { destructiveHint: true, idempotentHint: true },
  async run({ session_id: id, name }, { client, defaultSession, signal }) {
    await client.unloadPlugin(id ?? defaultSession.id, name, { signal });
    return text(`The plugin ${name} is unloaded.`);
  },
};

/** `test_plugin` */
export const testPlugin: Tool<typeof NameInput> = {
  name: "test_plugin",
  title: "Test a plugin",
  description: "Runs the tests that a plugin registered with @test_plugin and tells which failed, and why.",
  input: NameInput,
  annotations: { destructiveHint: false },
  async run({ session_id: id, name }, { client, defaultSession, signal }) {
    const { tests, is_success } = await client.testPlugin(id ?? defaultSession.id, name, { signal });
    const lines = tests.map(
      (test) => `${test.is_success ? "passed" : "failed"}: ${test.name}${test.error === null ? "" : `\n${test.error}`}`,
    );
    return { ...text(lines.length === 0 ? "The plugin registered no tests." : lines.join("\n")), isError: !is_success };
  },
};
