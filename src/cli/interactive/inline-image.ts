/** Images inside the terminal, where it can show them. */
import type { Terminal } from "../terminal.ts";

/** A way to show images. */
export type ImageProtocol = "kitty" | "iterm2";

const KITTY_CHUNK = 4096;

/** The protocol that the terminal knows, or null. Terminal multiplexers pass neither on. */
export function imageProtocol({ stdout, env }: Pick<Terminal, "stdout" | "env">): ImageProtocol | null {
  const term = env["TERM"] ?? "";
  if (stdout.isTTY !== true || term === "dumb" || /^(tmux|screen)/.test(term) || env["TMUX"] !== undefined) return null;
  const program = env["TERM_PROGRAM"] ?? "";
  if (program === "iTerm.app" || env["LC_TERMINAL"] === "iTerm2" || program === "WezTerm") return "iterm2";
  if (term === "xterm-kitty" || env["KITTY_WINDOW_ID"] !== undefined || program === "ghostty") return "kitty";
  return null;
}

/**
 * The escape sequence that shows an image; null for a kind that the protocol has no word for.
 * @param base64 The image file.
 * @see https://sw.kovidgoyal.net/kitty/graphics-protocol/
 * @see https://iterm2.com/documentation-images.html
 */
export function inlineImage(protocol: ImageProtocol, mimeType: string, base64: string): string | null {
  // What the server sends goes into a control sequence: nothing but base64 may.
  if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) return null;
  if (protocol === "iterm2") {
    return ["image/png", "image/jpeg", "image/gif"].includes(mimeType) ? `\u001B]1337;File=inline=1:${base64}\u0007\n` : null;
  }
  if (mimeType !== "image/png") return null;
  let sequence = "";
  for (let index = 0; index < base64.length; index += KITTY_CHUNK) {
    const isFirst = index === 0;
    const isLast = index + KITTY_CHUNK >= base64.length;
    sequence += `\u001B_G${isFirst ? "a=T,f=100," : ""}m=${isLast ? 0 : 1};${base64.slice(index, index + KITTY_CHUNK)}\u001B\\`;
  }
  return `${sequence}\n`;
}
