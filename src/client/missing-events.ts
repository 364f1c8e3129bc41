/** Remembers which events of an execution were delivered, and makes the missing ones out of its result. */
import type { Artifact, ExecutionEvent, ExecutionResult } from "../api/index.ts";

/** The events delivered so far. */
export class DeliveredEvents {
  /** The id of the last one. */
  lastId = 0;
  hasResult = false;
  /** UTF-16 units; that the texts themselves agree is the server's promise. */
  readonly #lengths = { stdout: 0, stderr: 0 };
  readonly #artifacts = new Map<string, string>();

  /** Notes an event; null for one of an unknown name. */
  note(id: number, event: ExecutionEvent | null): void {
    this.lastId = id;
    if (event === null) return;
    if (event.event === "output") this.#lengths[event.data.type] += event.data.text.length;
    if (event.event === "artifact") this.#artifacts.set(event.data.file_name, contentOf(event.data));
    if (event.event === "result") this.hasResult = true;
  }

  /** The events that a finished execution has beyond those delivered. */
  *missing(result: ExecutionResult): Generator<ExecutionEvent> {
    for (const type of ["stdout", "stderr"] as const) {
      const text = result[type].join("").slice(this.#lengths[type]);
      if (text !== "") yield { event: "output", data: { type, text } };
    }
    for (const artifact of result.artifact) {
      if (this.#artifacts.get(artifact.file_name) !== contentOf(artifact)) yield { event: "artifact", data: artifact };
    }
    yield { event: "result", data: result };
    yield { event: "done", data: {} };
  }
}

/** Tells apart the states of a display that updates itself; its file name stays. */
function contentOf(artifact: Artifact): string {
  return artifact.file_content ?? "";
}
