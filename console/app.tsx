/** The whole page: the bar on top, the page below, and what lies over both. */
import type { JSX } from "preact";
import { NewKeyDialog } from "./server/key-dialog.tsx";
import type { ServerLink } from "./server/link.ts";
import { SessionListPage } from "./sessions/session-list.tsx";
import { SessionPage } from "./notebook/session-page.tsx";
import { route } from "./route.ts";
import { ConfirmDialog } from "./ui/dialog.tsx";
import { NoticeList } from "./ui/notice-list.tsx";

/** @param link Everything the page knows comes over it. */
export function App({ link }: { link: ServerLink }): JSX.Element {
  const current = route.value;
  return (
    <>
      {!link.isOnline.value && (
        <div class="offline" role="alert">
          <span class="pulse" />
          The connection to the server is lost. Trying again…
        </div>
      )}
      {current.page === "sessions" ? (
        <SessionListPage link={link} />
      ) : (
        <SessionPage key={current.sessionId} link={link} sessionId={current.sessionId} />
      )}
      {link.keyQuestion.value !== null && <NewKeyDialog link={link} />}
      <ConfirmDialog />
      <NoticeList />
    </>
  );
}
