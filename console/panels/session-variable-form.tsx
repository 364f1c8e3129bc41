/** Sets session variables, which plugins read. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { SessionModel } from "../notebook/session-model.ts";
import { Button } from "../ui/button.tsx";
import { notify, notifyError } from "../ui/notices.ts";

/** A name and a value. */
export function SessionVariableForm({ model }: { model: SessionModel }): JSX.Element {
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const submit = async (): Promise<void> => {
    try {
      await model.link.client.updateSessionVar(model.sessionId, { [name.trim()]: value });
      notify(`Session variable ${name.trim()} is set; it holds from the next execution on.`);
      setName("");
      setValue("");
    } catch (error) {
      notifyError(error);
    }
  };
  return (
    <details class="more">
      <summary>Set a session variable</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p class="muted">Plugins read these with get_session_var; Python code does not see them.</p>
        <label class="field">
          <span>Name</span>
          <input required autocomplete="off" spellcheck={false} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Value</span>
          <input autocomplete="off" spellcheck={false} value={value} onInput={(event) => setValue(event.currentTarget.value)} />
        </label>
        <Button type="submit" disabled={name.trim() === ""}>
          Set
        </Button>
      </form>
    </details>
  );
}
