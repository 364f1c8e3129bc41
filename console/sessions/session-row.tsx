/** One session in the list. */
import type { JSX } from "preact";
import type { SessionInfo } from "../../src/client/index.ts";
import { addressOf } from "../address.ts";
import type { ServerLink } from "../server/link.ts";
import { IconButton } from "../ui/button.tsx";
import { now } from "../ui/clock.ts";
import { confirm } from "../ui/dialog.tsx";
import { formatAgo, formatBytes } from "../ui/format.ts";
import { notify, notifyError } from "../ui/notices.ts";
import { liveStateOf, StatusPill } from "./session-status.tsx";

interface SessionRowProps {
  session: SessionInfo;
  link: ServerLink;
  /** Something was done to it. */
  onChange: () => void;
}

/** A row of the list; on a phone a card. */
export function SessionRow({ session, link, onChange }: SessionRowProps): JSX.Element {
  const { session_id: id, loaded_plugins: plugins } = session;
  const state = link.isOnline.value ? liveStateOf(session) : "unknown";
  const about = [session.kernel, ...(plugins.length > 0 ? [`plugins: ${plugins.join(", ")}`] : []), session.cwd].join(" · ");
  return (
    <tr>
      <th scope="row">
        <a class="session-name" href={addressOf(id)}>
          {id}
        </a>
        <span class="session-about" title={about}>
          {about}
        </span>
      </th>
      <td>
        <StatusPill state={state} />
      </td>
      <td data-label="Last used">
        <time datetime={session.last_activity} title={new Date(session.last_activity).toLocaleString()}>
          {formatAgo(now.value - Date.parse(session.last_activity))}
        </time>
      </td>
      <td class="number" data-label="Memory">
        {session.memory_bytes === undefined ? "–" : formatBytes(session.memory_bytes)}
      </td>
      <td class="number" data-label="Executions">
        {session.execution_count}
      </td>
      <td class="row-actions">
        <IconButton icon="restart" label={`Restart ${id}`} onClick={() => confirmRestart(id, () => void restart(link, id, onChange))} />
        <IconButton icon="power" label={`Stop ${id}`} onClick={() => confirmStop(link, session, onChange)} />
      </td>
    </tr>
  );
}

/** Asks whether a session shall get a fresh kernel. */
export function confirmRestart(sessionId: string, onYes: () => void): void {
  confirm({
    title: `Restart ${sessionId}?`,
    text: "Its Python variables are lost and running code ends. Files, plugins and history stay.",
    action: "Restart",
    onYes,
  });
}

async function restart(link: ServerLink, sessionId: string, onDone: () => void): Promise<void> {
  try {
    await link.client.restart(sessionId);
    notify(`${sessionId} has a fresh kernel.`);
    onDone();
  } catch (error) {
    notifyError(error);
  }
}

/** Asks, then ends a session. */
export function confirmStop(link: ServerLink, session: Pick<SessionInfo, "session_id" | "cwd">, onDone: () => void): void {
  confirm({
    title: `Stop ${session.session_id}?`,
    text: `Its kernel ends, and its variables, plugins and history are gone. Its files stay in ${session.cwd}.`,
    action: "Stop session",
    onYes: () => {
      link.client.stop(session.session_id).then(() => {
        notify(`${session.session_id} is stopped.`);
        onDone();
      }, notifyError);
    },
  });
}
