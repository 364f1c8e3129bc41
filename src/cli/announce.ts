/** What `server` and `gateway` say once they listen: on a terminal where they are; the log says it to programs. */
import { VERSION } from "../paths.ts";
import { hasColors, painter, type Terminal } from "./terminal.ts";

/** What listens. */
interface Listening {
  readonly url: string;
  readonly apiKey: string | null;
  readonly apiKeyFile: string | null;
}

/** Says it. A key is shown to people only. */
export function announce(name: string, { url, apiKey, apiKeyFile }: Listening, configPath: string | undefined, terminal: Terminal): void {
  const { stderr, env } = terminal;
  const paint = painter(hasColors(stderr, env));
  const lines: string[] = [];
  if (stderr.isTTY === true) {
    lines.push(`${paint("bold", name)} ${VERSION} on ${paint("cyan", url)} (Ctrl-C ends it)`);
    if (configPath !== undefined) lines.push(`Configuration: ${configPath}`);
  }
  if (apiKeyFile !== null) {
    const shown = stderr.isTTY === true ? `: ${apiKey}` : "";
    lines.push(`Clients need the API key${shown} (kept in ${apiKeyFile})`);
  }
  if (lines.length > 0) stderr.write(`${lines.join("\n")}\n`);
}
