/** Light, dark, or as the system has it. */
import { signal } from "@preact/signals";

/** What the person chose. */
export type Theme = "system" | "light" | "dark";

const NAME = "taskweaver.theme";
const ORDER: Theme[] = ["system", "light", "dark"];

/** The choice. */
export const theme = signal<Theme>(readTheme());

/** Goes on to the next choice. */
export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.peek()) + 1) % ORDER.length] ?? "system";
  localStorage.setItem(NAME, theme.peek());
}

/** Keeps the page in the chosen theme. */
export function applyTheme(): void {
  theme.subscribe((chosen) => {
    document.documentElement.dataset["theme"] = chosen;
  });
}

/** Whether the page is dark right now. */
export function isDark(): boolean {
  return theme.peek() === "dark" || (theme.peek() === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function readTheme(): Theme {
  const kept = localStorage.getItem(NAME);
  return ORDER.find((choice) => choice === kept) ?? "system";
}
