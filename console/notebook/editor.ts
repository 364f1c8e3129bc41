/** The code editor: CodeMirror in a shadow tree, where its styles need no exception from the page's security policy. */
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
  completionStatus,
  startCompletion,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, indentUnit } from "@codemirror/language";
import { EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, placeholder, type KeyBinding } from "@codemirror/view";
import { kernelCompletion, type Complete } from "./completion.ts";
import { editorTheme } from "./editor-theme.ts";
import { errorLines, markErrorLines } from "./error-lines.ts";

/** What an editor is made with. */
export interface EditorOptions {
  code: string;
  /** What screen readers call it. */
  label: string;
  placeholder: string;
  complete: Complete;
  onChange: (code: string) => void;
  /** Shift-Enter runs and goes on, Ctrl-Enter runs and stays, Alt-Enter runs and makes a new cell. */
  onRun: (then: "advance" | "stay" | "insert") => void;
  /** Escape: the keyboard leaves the editor for its cell. */
  onLeave: () => void;
  /** An arrow key moves beyond the first or last line; false where there is nowhere to go. */
  onExit: (direction: "up" | "down") => boolean;
}

/** One editor on the page. */
export interface Editor {
  focus: (at?: "start" | "end") => void;
  setCode: (code: string) => void;
  setErrorLines: (lines: readonly number[]) => void;
  /** Puts the cursor into a line, from 1. */
  goTo: (line: number) => void;
  close: () => void;
}

/** Makes an editor in an element that is its own. */
export function openEditor(host: HTMLElement, options: EditorOptions): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({ doc: options.code, extensions: extensions(options) }),
  });
  return {
    focus(at) {
      view.focus();
      if (at !== undefined) view.dispatch({ selection: { anchor: at === "start" ? 0 : view.state.doc.length } });
    },
    setCode(code) {
      if (code !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: code } });
    },
    setErrorLines: (lines) => view.dispatch({ effects: markErrorLines.of(lines) }),
    goTo(line) {
      if (line < 1 || line > view.state.doc.lines) return;
      view.dispatch({ selection: { anchor: view.state.doc.line(line).from }, scrollIntoView: true });
      view.focus();
    },
    close: () => view.destroy(),
  };
}

function extensions(options: EditorOptions) {
  return [
    Prec.highest(keymap.of(keysOf(options))),
    lineNumbers(),
    history(),
    drawSelection(),
    python(),
    indentUnit.of("    "),
    bracketMatching(),
    closeBrackets(),
    errorLines,
    autocompletion({ override: [kernelCompletion(options.complete)], icons: false }),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
    placeholder(options.placeholder),
    editorTheme,
    EditorView.contentAttributes.of({ "aria-label": options.label, autocapitalize: "off", spellcheck: "false" }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) options.onChange(update.state.doc.toString());
    }),
  ];
}

function keysOf({ onRun, onLeave, onExit }: EditorOptions): KeyBinding[] {
  const run = (then: "advance" | "stay" | "insert") => (view: EditorView) => {
    closeCompletion(view);
    onRun(then);
    return true;
  };
  return [
    { key: "Shift-Enter", run: run("advance") },
    { key: "Mod-Enter", run: run("stay") },
    { key: "Alt-Enter", run: run("insert") },
    { key: "Tab", run: completeOrIndent, shift: indentLess },
    {
      key: "Escape",
      run: (view) => {
        // The first Escape closes the list of completions.
        if (completionStatus(view.state) !== null) return false;
        onLeave();
        return true;
      },
    },
    { key: "ArrowUp", run: (view) => leaveAtEdge(view, "up", onExit) },
    { key: "ArrowDown", run: (view) => leaveAtEdge(view, "down", onExit) },
  ];
}

/** As in notebooks: behind a name Tab asks what it could become, elsewhere it indents. */
function completeOrIndent(view: EditorView): boolean {
  if (completionStatus(view.state) === "active") return acceptCompletion(view);
  const { main } = view.state.selection;
  const before = main.empty && main.head > 0 ? view.state.sliceDoc(main.head - 1, main.head) : "";
  return /[\w.]/.test(before) ? startCompletion(view) : indentMore(view);
}

function leaveAtEdge(view: EditorView, direction: "up" | "down", onExit: EditorOptions["onExit"]): boolean {
  const { main } = view.state.selection;
  if (!main.empty || completionStatus(view.state) !== null) return false;
  const line = view.state.doc.lineAt(main.head).number;
  if (line !== (direction === "up" ? 1 : view.state.doc.lines)) return false;
  return onExit(direction);
}
