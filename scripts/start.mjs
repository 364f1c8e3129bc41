/** `npm start`: installs and compiles what is missing, then runs the server; arguments go to `taskweaver server`. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ensureBuild, ensureDependencies, main, ROOT } from "./steps.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  return runServer(process.argv.slice(2));
});

/** Runs the server in the foreground; resolves with its exit code. */
function runServer(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["dist/cli/main.js", "server", ...args], { cwd: ROOT, stdio: "inherit" });
    // A terminal sends Ctrl-C to both; `kill` reaches only this process. The server takes a second signal as "now".
    for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    process.on("SIGINT", () => {
      if (!process.stdin.isTTY) child.kill("SIGINT");
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
