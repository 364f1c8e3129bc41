/** `taskweaver gateway`: one address before many executors, until it is told to end. */
import { loadConfigFile, resolveGatewaySettings, type FlagValues } from "../../config.ts";
import { startGateway } from "../../gateway.ts";
import { VERSION } from "../../paths.ts";
import { EXIT, exitCodeOf, hasColors, painter, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface GatewayCommandOptions {
  flags: FlagValues;
  project: string | undefined;
}

/** Runs a gateway; resolves with the exit code when it has ended. */
export async function gatewayCommand(options: GatewayCommandOptions, terminal: Terminal): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveGatewaySettings(options.flags, terminal.env, file);
  let hasStarted = false;
  let signals = 0;
  let end: () => void = () => undefined;
  const isToEnd = new Promise<void>((resolve) => (end = resolve));
  const stopListening = terminal.onSignal((signal) => {
    signals += 1;
    // Before the start is through there is nothing to wait for; a second signal means "now".
    if (!hasStarted || signals > 1) process.exit(exitCodeOf(signal));
    end();
  });
  try {
    const gateway = await startGateway(settings);
    hasStarted = true;
    const { stderr, env } = terminal;
    const paint = painter(hasColors(stderr, env));
    if (stderr.isTTY === true) {
      stderr.write(`${paint("bold", "TaskWeaver gateway")} ${VERSION} on ${paint("cyan", gateway.url)} (Ctrl-C ends it)\n`);
    }
    if (gateway.apiKeyFile !== null) {
      stderr.write(`Clients need the API key${stderr.isTTY === true ? `: ${gateway.apiKey}` : ""} (kept in ${gateway.apiKeyFile})\n`);
    }
    await isToEnd;
    await gateway.close();
    return EXIT.ok;
  } finally {
    stopListening();
  }
}
