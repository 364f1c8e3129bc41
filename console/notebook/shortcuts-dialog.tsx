/** The keys of the notebook. */
import type { JSX } from "preact";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";

const KEYS: [keys: string, meaning: string][] = [
  ["Shift Enter", "Run the cell, go on to the next"],
  ["Ctrl Enter", "Run the cell, stay in it"],
  ["Alt Enter", "Run the cell, add one below"],
  ["Ctrl .", "Interrupt what runs"],
  ["Tab", "Complete a name, or indent"],
  ["Ctrl Space", "Complete anywhere"],
  ["Esc", "Leave the editor for its cell; Tab goes on from there"],
  ["Enter", "Edit the selected cell"],
  ["↑ ↓", "Previous or next cell"],
  ["B", "Add a cell below the selected one"],
  ["Delete", "Take the selected cell off the page"],
  ["?", "This list"],
];

/** A list of keys. */
export function ShortcutsDialog({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-actions">
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
