#!/usr/bin/env node
/** The command `taskweaver`. */
import { runCli } from "./program.ts";
import { EXIT, processTerminal } from "./terminal.ts";

// `taskweaver run ... | head`: who reads has had enough; that is no fault to report.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.brokenPipe : EXIT.failed);
});

process.exitCode = await runCli(process.argv.slice(2), processTerminal());
