/** The page of one session: its notebook, and beside it variables, files, plugins and history. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { SidePanel, PANELS, type PanelName } from "../panels/side-panel.tsx";
import { FileDrop } from "../panels/file-drop.tsx";
import type { ServerLink } from "../server/link.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Notebook } from "./notebook.tsx";
import { SessionBar } from "./session-bar.tsx";
import { SessionModel } from "./session-model.ts";
import { ShortcutsDialog } from "./shortcuts-dialog.tsx";

/** @param sessionId Of a session that may or may not exist. */
export function SessionPage({ link, sessionId }: { link: ServerLink; sessionId: string }): JSX.Element {
  const [generation, setGeneration] = useState(0);
  // A new session of an old name has nothing of the old one's cells.
  return <LiveSessionPage key={generation} link={link} sessionId={sessionId} onMadeAgain={() => setGeneration(generation + 1)} />;
}

interface LiveSessionPageProps {
  link: ServerLink;
  sessionId: string;
  onMadeAgain: () => void;
}

function LiveSessionPage({ link, sessionId, onMadeAgain }: LiveSessionPageProps): JSX.Element {
  const [model] = useState(() => new SessionModel(link, sessionId));
  const [panel, setPanel] = useState<PanelName>("variables");
  /** On a phone there is room for the notebook or for a panel. */
  const [isPanelShown, setPanelShown] = useState(false);
  const [areShortcutsShown, setShortcutsShown] = useState(false);

  useEffect(() => {
    model.open();
    const remember = (): void => model.remember();
    addEventListener("pagehide", remember);
    return () => {
      removeEventListener("pagehide", remember);
      model.close();
    };
  }, [model]);

  useEffect(() => {
    if (model.isReplaced.value) onMadeAgain();
  }, [model.isReplaced.value]);

  useEffect(() => {
    document.title = `${model.isBusy.value ? "● " : ""}${sessionId} · TaskWeaver`;
  }, [model.isBusy.value, sessionId]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "." && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        void model.interrupt();
      } else if (event.key === "?" && !isTyping(event)) {
        setShortcutsShown(true);
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [model]);

  const select = (name: PanelName): void => {
    setPanel(name);
    setPanelShown(true);
  };
  return (
    <div class={`page session-page ${isPanelShown ? "shows-panel" : "shows-notebook"}`}>
      <SessionBar model={model} onShortcuts={() => setShortcutsShown(true)} />
      {model.isGone.value ? (
        <Gone sessionId={sessionId} link={link} onMade={onMadeAgain} />
      ) : (
        <FileDrop model={model} onUploaded={() => select("files")}>
          <div class="session-body">
            <main class="notebook-column">
              <Notebook model={model} />
            </main>
            <SidePanel model={model} selected={panel} onSelect={select} />
          </div>
        </FileDrop>
      )}
      <nav class="phone-tabs" aria-label="Parts of this session">
        <button type="button" aria-pressed={!isPanelShown} onClick={() => setPanelShown(false)}>
          <Icon name="code" />
          Notebook
        </button>
        {PANELS.map(({ name, title, icon }) => (
          <button key={name} type="button" aria-pressed={isPanelShown && panel === name} onClick={() => select(name)}>
            <Icon name={icon} />
            {title}
          </button>
        ))}
      </nav>
      {areShortcutsShown && <ShortcutsDialog onClose={() => setShortcutsShown(false)} />}
    </div>
  );
}

function Gone({ sessionId, link, onMade }: { sessionId: string; link: ServerLink; onMade: () => void }): JSX.Element {
  const [problem, setProblem] = useState("");
  const make = (): void => {
    link.client.start(sessionId).then(onMade, (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)));
  };
  return (
    <main class="empty">
      <h2>There is no session {sessionId}</h2>
      <p class="muted">It was stopped, or never made. A new one of that name finds its files.</p>
      <div class="dialog-actions">
        <Button
          onClick={() => {
            location.hash = "#/";
          }}
        >
          All sessions
        </Button>
        <Button kind="primary" onClick={make}>
          Create {sessionId}
        </Button>
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
    </main>
  );
}

/** Whether a key goes into a text. */
function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
