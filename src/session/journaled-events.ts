/** The event log of one execution over its journal: the latest events in memory, all of them on disk. */
import { EventLog, type NumberedEvent } from "./event-log.ts";
import type { EntryOf, ExecutionJournal } from "./journal/journal-entry.ts";
import type { StoredEvent } from "./result.ts";

/** What the latest events of one execution may take in memory. */
const LATEST_BYTES = 1024 * 1024;

/** What an event takes beside its characters. */
const EVENT_BYTES = 150;

const EVENT_KINDS = ["stdout", "stderr", "artifact", "input_request"] as const;
type EventEntry = EntryOf<(typeof EVENT_KINDS)[number]>;

/** A log whose events the journal keeps. */
export function newEventLog(journal: ExecutionJournal): EventLog<StoredEvent> {
  return new EventLog({
    maxSize: LATEST_BYTES,
    sizeOf,
    open: () => {
      const reader = journal.read(...EVENT_KINDS);
      const next = async (): Promise<NumberedEvent<StoredEvent>[]> =>
        (await reader.next()).map((entry) => ({ id: entry.id, event: eventOf(entry) }));
      return { next, close: () => reader.close() };
    },
  });
}

function sizeOf(event: StoredEvent): number {
  if (event.event === "output") return event.data.text.length + EVENT_BYTES;
  if (event.event === "artifact") return (event.data.file_content?.length ?? 0) + event.data.preview.length + EVENT_BYTES;
  return event.event === "input_request" ? event.data.prompt.length + EVENT_BYTES : 0;
}

function eventOf(entry: EventEntry): StoredEvent {
  switch (entry.kind) {
    case "artifact":
      return { event: "artifact", data: entry.artifact };
    case "input_request":
      return { event: "input_request", data: { prompt: entry.prompt, password: entry.password } };
    default:
      return { event: "output", data: { type: entry.kind, text: entry.text } };
  }
}
