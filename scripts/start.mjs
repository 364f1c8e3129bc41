/** `npm start`: installs and compiles what is missing, then is the server; arguments go to `taskweaver server`. */
import { ensureBuild, ensureDependencies, main } from "./steps.mjs";

/** A person does not press Ctrl-C twice in this time. */
const SAME_SIGNAL_MS = 500;
const PARENT_POLL_MS = 200;

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  takeSignalsOnce();
  endWithParent();
  const command = new URL("../dist/cli/main.js", import.meta.url);
  process.argv = [process.execPath, command.pathname, "server", ...process.argv.slice(2)];
  await import(command);
  return process.exitCode;
});

/**
 * A terminal and a service manager signal npm and the server alike, and npm passes its signal on: the server would take the
 * second one for "at once".
 */
function takeSignalsOnce() {
  const emit = process.emit.bind(process);
  const lastTimes = new Map();
  process.emit = (name, ...values) => {
    if (["SIGINT", "SIGTERM", "SIGHUP"].includes(name)) {
      if (performance.now() - (lastTimes.get(name) ?? -Infinity) < SAME_SIGNAL_MS) return true;
      lastTimes.set(name, performance.now());
    }
    return emit(name, ...values);
  };
}

/** `kill` of npm ends npm and the shell between it and this process, and the shell passes nothing on. */
function endWithParent() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, PARENT_POLL_MS);
  timer.unref();
}
