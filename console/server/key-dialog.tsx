/** Asks for the server's key. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import type { ServerLink } from "./link.ts";

/** Shown while the server asks for a key that this tab does not have. */
export function NewKeyDialog({ link }: { link: ServerLink }): JSX.Element {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState(link.keyQuestion.peek() === "wrong" ? "The key of this tab is not valid any more." : "");
  const [isTrying, setIsTrying] = useState(false);

  const submit = async (): Promise<void> => {
    setIsTrying(true);
    try {
      const isRight = await link.tryKey(key.trim());
      if (!isRight) setProblem("The server does not accept this key.");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setIsTrying(false);
    }
  };

  return (
    <Dialog title="This server needs a key" canCancel={false} onClose={() => undefined}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p class="muted">
          The server prints where its key is when it starts: the file <code>api-key</code> in its work directory, unless the key was set by
          hand. The key stays in this tab.
        </p>
        <label class="field">
          <span>API key</span>
          <input
            type="password"
            autocomplete="off"
            autofocus
            required
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
            aria-invalid={problem !== ""}
            aria-describedby="key-problem"
          />
        </label>
        <p id="key-problem" class="problem" role="alert">
          {problem}
        </p>
        <div class="dialog-actions">
          <Button type="submit" kind="primary" icon="key" disabled={isTrying || key.trim() === ""}>
            {isTrying ? "Trying…" : "Continue"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
