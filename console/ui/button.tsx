/** Buttons: with a text, or with an icon alone and the text as its label. */
import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon.tsx";

interface ButtonProps {
  onClick?: (event: MouseEvent) => void;
  icon?: IconName;
  kind?: "plain" | "primary" | "danger" | "quiet";
  disabled?: boolean;
  type?: "button" | "submit";
  /** Shown while the pointer rests on it; e.g. the key that does the same. */
  hint?: string;
  class?: string;
  children: ComponentChildren;
}

/** A button with a text. */
export function Button({
  onClick,
  icon,
  kind = "plain",
  disabled = false,
  type = "button",
  hint,
  class: extra = "",
  children,
}: ButtonProps): JSX.Element {
  return (
    <button type={type} class={`button button-${kind} ${extra}`} disabled={disabled} onClick={onClick} title={hint}>
      {icon !== undefined && <Icon name={icon} />}
      <span class="button-text">{children}</span>
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonProps, "children" | "icon"> {
  icon: IconName;
  /** What it does. */
  label: string;
}

/** A button with an icon alone. */
export function IconButton({
  onClick,
  icon,
  label,
  kind = "quiet",
  disabled = false,
  hint,
  class: extra = "",
}: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class={`icon-button button-${kind} ${extra}`}
      disabled={disabled}
      onClick={onClick}
      aria-label={label}
      title={hint ?? label}
    >
      <Icon name={icon} />
    </button>
  );
}
