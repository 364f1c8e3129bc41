/** The server's log: JSON lines, or pretty ones on a terminal; never code, never keys. */
import { pino, type Logger } from "pino";
import { build } from "pino-pretty";

/** How the log is written. */
export interface LoggerOptions {
  level: string;
  /** `auto`: pretty on a terminal, else JSON lines. */
  format: "auto" | "pretty" | "json";
}

/** Makes the log, on standard output. */
export function createLogger({ level, format }: LoggerOptions): Logger {
  const isTerminal = process.stdout.isTTY === true;
  const settings = { level, base: null, serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err } };
  if (format === "json" || (format === "auto" && !isTerminal)) return pino(settings, pino.destination({ fd: 1, sync: true }));
  const colorize = isTerminal && process.env["NO_COLOR"] === undefined;
  return pino(settings, build({ colorize, translateTime: "SYS:HH:MM:ss", ignore: "pid,hostname", sync: true }));
}
