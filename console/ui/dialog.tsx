/** Dialogs: the browser's own, so that focus, Escape and the rest of the page behave. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { Button } from "./button.tsx";

interface DialogProps {
  title: string;
  onClose: () => void;
  /** Whether Escape closes it; true by default. */
  canCancel?: boolean;
  children: ComponentChildren;
}

/** A modal dialog; open as long as it is rendered. */
export function Dialog({ title, onClose, canCancel = true, children }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class="dialog"
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        if (canCancel) onClose();
      }}
      onClick={(event) => {
        if (canCancel && event.target === element.current) onClose();
      }}
    >
      <div class="dialog-body">
        <h2 id="dialog-title">{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** A question that is answered by yes or no. */
export interface Question {
  title: string;
  text: string;
  /** What the button that agrees says. */
  action: string;
  onYes: () => void;
}

const question = signal<Question | null>(null);

/** Asks before something is done that cannot be taken back. */
export function confirm(asked: Question): void {
  question.value = asked;
}

/** Shows what {@link confirm} asks. */
export function ConfirmDialog(): JSX.Element | null {
  const asked = question.value;
  if (asked === null) return null;
  const close = (): void => {
    question.value = null;
  };
  return (
    <Dialog title={asked.title} onClose={close}>
      <p>{asked.text}</p>
      <div class="dialog-actions">
        <Button onClick={close}>Cancel</Button>
        <Button
          kind="danger"
          onClick={() => {
            close();
            asked.onYes();
          }}
        >
          {asked.action}
        </Button>
      </div>
    </Dialog>
  );
}
