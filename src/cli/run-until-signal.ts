/** A command that serves until it is told to end. */
import { exitCodeOf, type Terminal } from "./terminal.ts";

/** Something that serves. */
interface Serving {
  close(): Promise<void>;
}

/**
 * Starts something, waits until a signal or the thing itself asks for the end, and closes it.
 * @param start Gets what asks for the end.
 */
export async function runUntilSignal(terminal: Terminal, start: (end: () => void) => Promise<Serving>): Promise<void> {
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
    const serving = await start(end);
    hasStarted = true;
    await isToEnd;
    await serving.close();
  } finally {
    stopListening();
  }
}
