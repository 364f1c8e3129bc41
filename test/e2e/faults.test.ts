/**
 * Real load while kernels, the fork server and the server are killed: whatever was accepted ends with a truthful result, streams are exact, nothing is left over.
 * `TASKWEAVER_SEED` repeats a run; `npm run soak` makes a long one.
 */
import { expect, test } from "vitest";
import { chosenSeed } from "../soak/random.ts";
import { run } from "../soak/run.ts";

const seconds = Number(process.env["TASKWEAVER_SOAK_SECONDS"] ?? 10);
const sessions = Number(process.env["TASKWEAVER_SOAK_SESSIONS"] ?? 20);
const watchesMemory = process.env["TASKWEAVER_SOAK_MEMORY"] !== undefined;

/** The load's own end, the reckoning and the last leftovers come on top of the run. */
const REST_MS = 240_000;

test(
  "under load and with its parts killed, the server loses nothing, tells no untruth and leaves nothing behind",
  { timeout: seconds * 1000 + REST_MS },
  async () => {
    const seed = chosenSeed();
    const say = (line: string): void => void process.stdout.write(`${line}\n`);
    say(`TASKWEAVER_SEED=${seed}`);
    const { faults, ends, killed, memoryGrowth } = await run({ seed, seconds, sessions, watchesMemory, say });
    say(`ended: ${JSON.stringify(ends)}; killed: ${JSON.stringify(killed)}`);
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    expect(ends["completed"]).toBeGreaterThan(0);
    if (memoryGrowth === undefined) return;
    say(`memory of the server in the last quarter against the one before: ${(memoryGrowth * 100).toFixed(1)} %`);
    expect(memoryGrowth).toBeLessThan(0.05);
  },
);
