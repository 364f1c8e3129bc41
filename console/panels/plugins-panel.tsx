/** The plugins of the session: load from a file, test, unload. */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { TestPluginResponse } from "../../src/client/index.ts";
import type { SessionModel } from "../notebook/session-model.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { notify, notifyError } from "../ui/notices.ts";
import { LoadPluginDialog } from "./load-plugin-dialog.tsx";
import { SessionVariableForm } from "./session-variable-form.tsx";

/** A list of plugins, and the way to add one. */
export function PluginsPanel({ model }: { model: SessionModel }): JSX.Element {
  const picker = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File | null>(null);
  const plugins = model.info.value?.loaded_plugins ?? [];
  return (
    <>
      <div class="panel-head">
        <input
          ref={picker}
          type="file"
          accept=".py,text/x-python"
          class="only-spoken"
          aria-label="Choose a plugin’s Python file"
          tabIndex={-1}
          onChange={(event) => {
            setFile(event.currentTarget.files?.[0] ?? null);
            event.currentTarget.value = "";
          }}
        />
        <Button icon="plus" onClick={() => picker.current?.click()}>
          Load from a file
        </Button>
      </div>
      {plugins.length === 0 ? (
        <div class="panel-empty">
          <p>No plugins</p>
          <p class="muted">A plugin is a Python class or function that the session’s code can call by its name.</p>
        </div>
      ) : (
        <ul class="plugins" aria-label="Loaded plugins">
          {plugins.map((name) => (
            <PluginRow key={name} name={name} model={model} />
          ))}
        </ul>
      )}
      <SessionVariableForm model={model} />
      {file !== null && <LoadPluginDialog file={file} model={model} onClose={() => setFile(null)} />}
    </>
  );
}

function PluginRow({ name, model }: { name: string; model: SessionModel }): JSX.Element {
  const [outcome, setOutcome] = useState<TestPluginResponse | null>(null);
  const [isWorking, setWorking] = useState(false);
  const { client } = model.link;

  const work = async (body: () => Promise<void>): Promise<void> => {
    setWorking(true);
    try {
      await body();
    } catch (error) {
      notifyError(error);
    } finally {
      setWorking(false);
    }
  };
  const unload = async (): Promise<void> => {
    await client.unloadPlugin(model.sessionId, name);
    await model.refreshInfo();
    notify(`${name} is unloaded.`);
  };
  return (
    <li>
      <div class="plugin-row">
        <code>{name}</code>
        <Button
          kind="quiet"
          disabled={isWorking}
          onClick={() => void work(async () => setOutcome(await client.testPlugin(model.sessionId, name)))}
        >
          Test
        </Button>
        <IconButton icon="close" label={`Unload ${name}`} disabled={isWorking} onClick={() => void work(unload)} />
      </div>
      {outcome !== null && <Outcome outcome={outcome} />}
    </li>
  );
}

function Outcome({ outcome }: { outcome: TestPluginResponse }): JSX.Element {
  if (outcome.tests.length === 0) return <p class="muted">It brings no tests.</p>;
  return (
    <ul class="plugin-tests" aria-label={`Tests of ${outcome.name}`}>
      {outcome.tests.map((test) => (
        <li key={test.name} class={test.is_success ? "test-ok" : "test-bad"}>
          <Icon name={test.is_success ? "check" : "alert"} />
          <span>
            {test.description ?? test.name}
            {test.error !== null && <pre tabIndex={0}>{test.error}</pre>}
          </span>
        </li>
      ))}
    </ul>
  );
}
