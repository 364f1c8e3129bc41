#!/usr/bin/env node
/** The command `taskweaver`. */
import { runCli } from "./program.ts";
import { processTerminal, watchBrokenPipe } from "./terminal.ts";

watchBrokenPipe();
process.exitCode = await runCli(process.argv.slice(2), processTerminal());
