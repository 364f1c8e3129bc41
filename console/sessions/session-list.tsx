/** The first page: all sessions of the server. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Health, SessionInfo } from "../../src/client/index.ts";
import { addressOf } from "../address.ts";
import type { ServerLink } from "../server/link.ts";
import { POLL_TIMEOUT_MS, pollWhileVisible } from "../server/polling.ts";
import { Button } from "../ui/button.tsx";
import { notifyError } from "../ui/notices.ts";
import { TopBar } from "../ui/top-bar.tsx";
import { NewSessionDialog } from "./new-session-dialog.tsx";
import { SessionRow } from "./session-row.tsx";

const POLL_MS = 2_000;
/** From this many on there is a field to filter them. */
const FILTER_FROM = 8;

/** null until the server has said. */
const sessions = signal<SessionInfo[] | null>(null);
const health = signal<Health | null>(null);

/** The list, the way to a new session, and what the server says of itself. */
export function SessionListPage({ link }: { link: ServerLink }): JSX.Element {
  const [isMaking, setIsMaking] = useState(false);
  const [filter, setFilter] = useState("");
  const refresh = async (signal?: AbortSignal): Promise<void> => {
    sessions.value = await link.client.listSessions({ signal, timeoutMs: POLL_TIMEOUT_MS });
  };
  useEffect(() => {
    document.title = "Sessions · TaskWeaver";
    // What an earlier visit saw may be long over.
    link.client.health({ timeoutMs: POLL_TIMEOUT_MS }).then(
      (answer) => (health.value = answer),
      () => undefined,
    );
    return pollWhileVisible(link, refresh, POLL_MS);
  }, [link]);

  const all = sessions.value;
  const shown = newestFirst(all ?? []).filter((one) => one.session_id.toLowerCase().includes(filter.trim().toLowerCase()));
  const onChange = (): void => void refresh().catch(notifyError);
  return (
    <div class="page">
      <TopBar link={link} />
      <main class="list-page">
        <div class="list-head">
          <div>
            <h1>Sessions</h1>
            <p class="muted">{summaryOf(all, health.value)}</p>
          </div>
          <div class="list-actions">
            {(all?.length ?? 0) >= FILTER_FROM && (
              <input
                type="search"
                class="filter"
                placeholder="Filter"
                aria-label="Filter sessions by name"
                value={filter}
                onInput={(event) => setFilter(event.currentTarget.value)}
              />
            )}
            <Button kind="primary" icon="plus" onClick={() => setIsMaking(true)}>
              New session
            </Button>
          </div>
        </div>
        {all === null ? (
          <div class="skeleton" aria-label="Loading" />
        ) : all.length === 0 ? (
          <NoSessions url={link.url} />
        ) : (
          <table class="sessions">
            <thead>
              <tr>
                <th scope="col">Session</th>
                <th scope="col">State</th>
                <th scope="col">Last used</th>
                <th scope="col" class="number">
                  Memory
                </th>
                <th scope="col" class="number">
                  Executions
                </th>
                <th scope="col">
                  <span class="only-spoken">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((session) => (
                <SessionRow key={session.session_id} session={session} link={link} onChange={onChange} />
              ))}
            </tbody>
          </table>
        )}
        {all !== null && all.length > 0 && shown.length === 0 && <p class="muted">No session has “{filter}” in its name.</p>}
      </main>
      {isMaking && (
        <NewSessionDialog
          link={link}
          onClose={() => setIsMaking(false)}
          onMade={(sessionId) => {
            setIsMaking(false);
            location.hash = addressOf(sessionId);
          }}
        />
      )}
    </div>
  );
}

function NoSessions({ url }: { url: string }): JSX.Element {
  const command = `curl -X POST ${url}api/v1/sessions \\\n    -H "Content-Type: application/json" \\\n    -d '{"session_id": "my-session"}'`;
  return (
    <div class="empty">
      <svg class="empty-picture" viewBox="0 0 120 72" width="120" height="72" aria-hidden="true">
        <rect x="8" y="6" width="104" height="26" rx="6" />
        <rect x="8" y="40" width="104" height="26" rx="6" />
        <path d="M20 19h34M20 53h22M48 53h30" />
        <circle cx="98" cy="19" r="4" />
        <circle cx="98" cy="53" r="4" />
      </svg>
      <h2>No session yet</h2>
      <p class="muted">
        A session is one Python kernel with its variables, files and plugins. Make one here, or let a program make it: both see the same
        session.
      </p>
      <pre class="snippet" tabIndex={0}>
        {command}
      </pre>
    </div>
  );
}

function newestFirst(all: SessionInfo[]): SessionInfo[] {
  return all.toSorted((one, other) => other.last_activity.localeCompare(one.last_activity));
}

function summaryOf(all: SessionInfo[] | null, server: Health | null): string {
  if (all === null) return "Asking the server…";
  const busy = all.filter((session) => session.busy === true).length;
  const version = server === null ? "" : ` · server ${server.version}`;
  if (all.length === 0) return `None${version}`;
  return `${all.length} ${all.length === 1 ? "session" : "sessions"}, ${busy} busy${version}`;
}
