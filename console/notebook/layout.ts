/** Which executions the page shows as cells, and in which order. */

/** What this tab remembers of a session's page; everything else is read from the server. */
export interface Layout {
  /** Execution ids in the order of their cells. */
  order: string[];
  /** Executions without a cell: run again in place, or taken off the page. */
  hidden: string[];
}

export const EMPTY_LAYOUT: Layout = { order: [], hidden: [] };

/**
 * The executions to show, in order: those that the tab knows where it left them, all others behind.
 * @param executionIds Those that the server has, oldest first.
 */
export function arrange(executionIds: string[], layout: Layout): string[] {
  const existing = new Set(executionIds);
  const known = layout.order.filter((id) => existing.has(id));
  const placed = new Set([...known, ...layout.hidden]);
  return [...known, ...executionIds.filter((id) => !placed.has(id))];
}

/** Reads what was kept; anything that does not fit counts as nothing. */
export function readLayout(text: string | null): Layout {
  try {
    const value = JSON.parse(text ?? "null") as Partial<Layout> | null;
    const { order, hidden } = value ?? {};
    return isTexts(order) && isTexts(hidden) ? { order, hidden } : EMPTY_LAYOUT;
  } catch {
    return EMPTY_LAYOUT;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
