/** Shows the notices, and reads out what is announced. */
import type { JSX } from "preact";
import { IconButton } from "./button.tsx";
import { Icon } from "./icon.tsx";
import { announcement, dismiss, notices } from "./notices.ts";

/** The corner of the page where notices stand. */
export function NoticeList(): JSX.Element {
  return (
    <>
      <div class="notices" role="status" aria-live="polite">
        {notices.value.map((notice) => (
          <div key={notice.id} class={`notice notice-${notice.kind}`}>
            <Icon name={notice.kind === "error" ? "alert" : "check"} />
            <span>{notice.text}</span>
            <IconButton icon="close" label="Dismiss" onClick={() => dismiss(notice.id)} />
          </div>
        ))}
      </div>
      <div class="only-spoken" aria-live="polite" aria-atomic="true">
        {announcement.value}
      </div>
    </>
  );
}
