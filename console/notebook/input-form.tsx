/** Asks what the code asks with `input()`. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { announce } from "../ui/notices.ts";
import type { InputQuestion } from "./run.ts";

interface InputFormProps {
  question: InputQuestion;
  onAnswer: (text: string) => Promise<void>;
}

/** A field behind the prompt. */
export function InputForm({ question, onAnswer }: InputFormProps): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const [isSending, setSending] = useState(false);
  const label = question.prompt.trim() === "" ? "The code asks for input" : question.prompt.trim();

  useEffect(() => {
    announce(`The code asks: ${label}`);
    field.current?.focus();
  }, [label]);

  return (
    <form
      class="input-form"
      onSubmit={(event) => {
        event.preventDefault();
        setSending(true);
        void onAnswer(field.current?.value ?? "").finally(() => setSending(false));
      }}
    >
      <label>
        <span class="only-spoken">{label}</span>
        {question.password ? (
          <input ref={field} type="password" autocomplete="off" disabled={isSending} />
        ) : (
          <input ref={field} type="text" autocomplete="off" spellcheck={false} disabled={isSending} />
        )}
      </label>
      <Button type="submit" kind="primary" disabled={isSending}>
        Send
      </Button>
      {question.mayBeAnswered && <span class="faint">The code has gone on; somebody may have answered already.</span>}
    </form>
  );
}
