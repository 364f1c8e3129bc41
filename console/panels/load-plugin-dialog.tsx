/** Loads a plugin out of a file that was chosen. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { SessionModel } from "../notebook/session-model.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { notify } from "../ui/notices.ts";
import { pluginNameOf } from "./plugin-name.ts";

interface LoadPluginDialogProps {
  file: File;
  model: SessionModel;
  onClose: () => void;
}

/** Asks for the name and the configuration. */
export function LoadPluginDialog({ file, model, onClose }: LoadPluginDialogProps): JSX.Element {
  const [problem, setProblem] = useState("");
  const [isLoading, setLoading] = useState(false);

  const load = async (form: FormData): Promise<void> => {
    const name = textOf(form, "name").trim();
    setProblem("");
    setLoading(true);
    try {
      const config = readConfig(textOf(form, "config"));
      await model.link.client.loadPlugin(model.sessionId, { name, code: await file.text(), config });
      await model.refreshInfo();
      notify(`${name} is loaded; the session’s code can call it.`);
      onClose();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setLoading(false);
    }
  };

  return (
    <Dialog title={`Load ${file.name}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void load(new FormData(event.currentTarget));
        }}
      >
        <label class="field">
          <span>Name in the session</span>
          <input name="name" required autocomplete="off" spellcheck={false} defaultValue={pluginNameOf(file.name)} />
        </label>
        <label class="field">
          <span>Configuration (JSON)</span>
          <textarea name="config" rows={4} spellcheck={false} placeholder="{}" />
        </label>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" disabled={isLoading}>
            {isLoading ? "Loading…" : "Load"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}

function readConfig(text: string): Record<string, unknown> | undefined {
  if (text.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error("The configuration is no JSON.", { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("The configuration must be a JSON object.");
  return value as Record<string, unknown>;
}
