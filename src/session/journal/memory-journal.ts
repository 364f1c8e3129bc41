/** The journal of an execution that nobody is to find again, or whose disk has failed: in memory. */
import type { EntryKind, EntryOf, EntryReader, ExecutionJournal, JournalEntry } from "./journal-entry.ts";

/** Keeps entries as they are. */
export class MemoryJournal implements ExecutionJournal {
  #entries: (JournalEntry | undefined)[] = [];

  append(entry: JournalEntry): void {
    if (entry.kind === "artifact" && entry.replaces > 0) this.#takeOut(entry.replaces);
    this.#entries.push(entry);
  }

  read<K extends EntryKind>(...kinds: K[]): EntryReader<K> {
    let at = 0;
    const next = async (): Promise<EntryOf<K>[]> => {
      const isWanted = (entry: JournalEntry | undefined): entry is EntryOf<K> =>
        entry !== undefined && (kinds as EntryKind[]).includes(entry.kind);
      const some = this.#entries.slice(at).filter(isWanted);
      at = this.#entries.length;
      return some;
    };
    return { next, close: () => undefined };
  }

  hold(): () => void {
    return () => undefined;
  }

  seal(): void {}

  forget(): void {
    this.#entries = [];
  }

  #takeOut(id: number): void {
    const at = this.#entries.findIndex((entry) => entry?.kind === "artifact" && entry.id === id);
    if (at >= 0) this.#entries[at] = undefined;
  }
}
