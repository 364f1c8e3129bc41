/** What stands beside the notebook, one panel at a time. */
import type { JSX } from "preact";
import type { SessionModel } from "../notebook/session-model.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { FilesPanel } from "./files-panel.tsx";
import { HistoryPanel } from "./history-panel.tsx";
import { PluginsPanel } from "./plugins-panel.tsx";
import { VariablesPanel } from "./variables-panel.tsx";

/** A panel. */
export type PanelName = "variables" | "files" | "plugins" | "history";

/** All panels, in their order. */
export const PANELS: { name: PanelName; title: string; icon: IconName }[] = [
  { name: "variables", title: "Variables", icon: "braces" },
  { name: "files", title: "Files", icon: "file" },
  { name: "plugins", title: "Plugins", icon: "box" },
  { name: "history", title: "History", icon: "clock" },
];

interface SidePanelProps {
  model: SessionModel;
  selected: PanelName;
  onSelect: (name: PanelName) => void;
}

/** Tabs, and the panel of the selected one. */
export function SidePanel({ model, selected, onSelect }: SidePanelProps): JSX.Element {
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const index = PANELS.findIndex(({ name }) => name === selected);
    const next = PANELS[(index + step + PANELS.length) % PANELS.length];
    if (next === undefined) return;
    onSelect(next.name);
    document.querySelector<HTMLElement>(`#tab-${next.name}`)?.focus();
  };
  return (
    <aside class="side" aria-label="Session details">
      <div class="tabs" role="tablist" aria-label="Session details">
        {PANELS.map(({ name, title, icon }) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={selected === name}
            aria-controls="panel"
            tabIndex={selected === name ? 0 : -1}
            onClick={() => onSelect(name)}
            onKeyDown={onKeyDown}
          >
            <Icon name={icon} />
            {title}
          </button>
        ))}
      </div>
      <div class="panel" id="panel" role="tabpanel" aria-labelledby={`tab-${selected}`}>
        {selected === "variables" && <VariablesPanel model={model} />}
        {selected === "files" && <FilesPanel model={model} />}
        {selected === "plugins" && <PluginsPanel model={model} />}
        {selected === "history" && <HistoryPanel model={model} />}
      </div>
    </aside>
  );
}
