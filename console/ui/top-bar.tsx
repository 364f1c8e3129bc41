/** The bar on top of every page. */
import type { ComponentChildren, JSX } from "preact";
import type { ServerLink } from "../server/link.ts";
import { IconButton } from "./button.tsx";
import { notify } from "./notices.ts";
import { nextTheme, theme } from "./theme.ts";

const THEMES = {
  system: { icon: "screen", label: "Colours: as the system has them" },
  light: { icon: "sun", label: "Colours: light" },
  dark: { icon: "moon", label: "Colours: dark" },
} as const;

/** @param children What the page adds between the name and the settings. */
export function TopBar({ link, children }: { link: ServerLink; children?: ComponentChildren }): JSX.Element {
  const { icon, label } = THEMES[theme.value];
  return (
    <header class="top-bar">
      <a class="brand" href="#/" aria-label="TaskWeaver: all sessions">
        <Mark />
        <span class="brand-name">TaskWeaver</span>
      </a>
      {children}
      <div class="top-bar-end">
        {link.hasKey.value && (
          <IconButton
            icon="key"
            label="Forget the key of this tab"
            onClick={() => {
              link.forgetKey();
              notify("This tab has forgotten the key.");
            }}
          />
        )}
        <IconButton icon={icon} label={label} onClick={nextTheme} />
      </div>
    </header>
  );
}

/** Threads that cross. */
function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <path d="M3 7.5h5.5M12.5 7.5H21M3 16.5h8.5M15.5 16.5H21" />
      <path d="M8 3v8.5M8 15.5V21M16 3v5.5M16 12.5V21" class="mark-warp" />
    </svg>
  );
}
