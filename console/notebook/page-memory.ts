/** What a tab remembers of a session's page, so that a reload changes nothing: the order of the cells, and the draft. */
import { readLayout, type Layout } from "./layout.ts";

/** Where it is kept; a tab's `sessionStorage`. */
export type PageStore = Pick<Storage, "getItem" | "setItem">;

/** The memory of one session's page. */
export class PageMemory {
  readonly #store: PageStore;
  readonly #layoutName: string;
  readonly #draftName: string;
  #layout: Layout;

  constructor(store: PageStore, sessionId: string) {
    this.#store = store;
    this.#layoutName = `taskweaver.layout.${sessionId}`;
    this.#draftName = `taskweaver.draft.${sessionId}`;
    this.#layout = readLayout(store.getItem(this.#layoutName));
  }

  get layout(): Layout {
    return this.#layout;
  }

  /** Code that has not been run yet. */
  get draft(): string {
    return this.#store.getItem(this.#draftName) ?? "";
  }

  /** Remembers the order of cells and the draft. */
  keep(order: string[], draft: string): void {
    const shown = new Set(order);
    this.#layout = { order, hidden: this.#layout.hidden.filter((id) => !shown.has(id)) };
    this.#save(draft);
  }

  /** An execution shall have no cell. */
  hide(executionId: string): void {
    this.#layout = { ...this.#layout, hidden: [...this.#layout.hidden.filter((id) => id !== executionId), executionId] };
    this.#save();
  }

  /** It shall have one again. */
  unhide(executionId: string): void {
    this.#layout = { ...this.#layout, hidden: this.#layout.hidden.filter((id) => id !== executionId) };
    this.#save();
  }

  #save(draft?: string): void {
    try {
      this.#store.setItem(this.#layoutName, JSON.stringify(this.#layout));
      if (draft !== undefined) this.#store.setItem(this.#draftName, draft);
    } catch {
      // A full store forgets the order; the executions themselves are the server's to keep.
    }
  }
}
