/** `npm run dev`: compiles on every change and restarts the server; arguments go to `taskweaver server`. */
import { spawn } from "node:child_process";
import { ensureBuild, ensureDependencies, main, ROOT } from "./steps.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--watch", "--preserveWatchOutput"];
  const server = ["--watch", "--watch-preserve-output", "dist/cli/main.js", "server", ...process.argv.slice(2)];
  const bundler = ["scripts/build-console.mjs", "--watch"];
  const children = [compiler, bundler, server].map((args) => spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" }));
  const stop = (signal) => children.forEach((child) => child.kill(signal));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(signal));
  // Without the compiler the watch is blind, without the server there is nothing to watch for.
  const code = await Promise.race(children.map((child) => new Promise((resolve) => child.once("exit", (status) => resolve(status)))));
  stop("SIGTERM");
  return code ?? 0;
});
