/** Makes a session. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { ServerLink } from "../server/link.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";

interface NewSessionDialogProps {
  link: ServerLink;
  onClose: () => void;
  onMade: (sessionId: string) => void;
}

/** A form with a name, and the options of a session where somebody wants them. */
export function NewSessionDialog({ link, onClose, onMade }: NewSessionDialogProps): JSX.Element {
  const [problem, setProblem] = useState("");
  const [isMaking, setIsMaking] = useState(false);

  const submit = async (form: FormData): Promise<void> => {
    const text = (name: string): string | undefined => {
      const value = form.get(name);
      return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
    };
    setIsMaking(true);
    setProblem("");
    try {
      const minutes = text("minutes");
      const session = await link.client.start(text("name") ?? suggestName(), {
        cwd: text("cwd"),
        kernel: text("kernel"),
        idleTimeoutMs: minutes === undefined ? undefined : Number(minutes) * 60_000,
        ifExists: "error",
      });
      onMade(session.sessionId);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setIsMaking(false);
    }
  };

  return (
    <Dialog title="New session" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit(new FormData(event.currentTarget));
        }}
      >
        <label class="field">
          <span>Name</span>
          <input
            name="name"
            autofocus
            autocomplete="off"
            spellcheck={false}
            defaultValue={suggestName()}
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]{0,127}"
            title="Letters, digits, dot, underscore and hyphen; the first a letter or digit"
            onFocus={(event) => event.currentTarget.select()}
          />
        </label>
        <details class="more">
          <summary>More options</summary>
          <label class="field">
            <span>Working directory</span>
            <input name="cwd" autocomplete="off" spellcheck={false} placeholder="The session’s own folder" />
          </label>
          <label class="field">
            <span>Kernel</span>
            <input name="kernel" autocomplete="off" spellcheck={false} placeholder="python3" />
          </label>
          <label class="field">
            <span>Minutes until an idle kernel ends</span>
            <input name="minutes" type="number" min="0" step="any" placeholder="As the server has it" />
          </label>
        </details>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" disabled={isMaking}>
            {isMaking ? "Starting a kernel…" : "Create"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

const THREADS = ["linen", "cotton", "silk", "wool", "hemp", "flax", "twill", "satin", "velvet", "denim", "tweed", "jute", "felt", "lace"];

function suggestName(): string {
  const [first = 0, second = 0] = crypto.getRandomValues(new Uint16Array(2));
  return `${THREADS[first % THREADS.length]}-${(second % 900) + 100}`;
}
