/** `taskweaver gateway`: one address before many executors, until it is told to end. */
import { loadConfigFile, resolveGatewaySettings, type FlagValues } from "../../config.ts";
import { startGateway } from "../../gateway.ts";
import { announce } from "../announce.ts";
import { runUntilSignal } from "../run-until-signal.ts";
import { EXIT, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface GatewayCommandOptions {
  flags: FlagValues;
  project: string | undefined;
}

/** Runs a gateway; resolves with the exit code when it has ended. */
export async function gatewayCommand(options: GatewayCommandOptions, terminal: Terminal): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveGatewaySettings(options.flags, terminal.env, file);
  await runUntilSignal(terminal, async () => {
    const gateway = await startGateway(settings);
    announce("TaskWeaver gateway", gateway, file?.path, terminal);
    return gateway;
  });
  return EXIT.ok;
}
