/**
 * Real load while kernels, the fork server and the server are killed: whatever was accepted ends with a truthful result, streams are exact, nothing is left over.
 * `TASKWEAVER_SEED` repeats a run; `npm run soak` makes a long one.
 */
import { expect, test } from "vitest";
import { chosenSeed } from "../soak/random.ts";
import { run } from "../soak/run.ts";

const seconds = 10;
const sessions = 20;

/** The load's own end, the reckoning and the last leftovers come on top of the run. */
const REST_MS = 240_000;

test(
  "under load and with its parts killed, the server loses nothing, tells no untruth and leaves nothing behind",
  { timeout: seconds * 1000 + REST_MS },
  async () => {
    const seed = chosenSeed();
    const say = (line: string): void => void process.stdout.write(`${line}\n`);
    say(`TASKWEAVER_SEED=${seed}`);
    const { faults, ends, killed } = await run({ seed, seconds, sessions, watchesGrowth: false, orphanSeconds: 30, say });
    say(`ended: ${JSON.stringify(ends)}; killed: ${JSON.stringify(killed)}`);
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    expect(ends["completed"]).toBeGreaterThan(0);
  },
);
