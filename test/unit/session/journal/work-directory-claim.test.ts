/** Who may take back the sessions of a work directory. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startTimeOf } from "../../../../src/provision/process-identity.ts";
import { claimWorkDirectory } from "../../../../src/session/journal/work-directory-claim.ts";
import { temporaryFolder } from "../../../helpers/fake-session.ts";
import { whenDone } from "../../../helpers/when-done.ts";

/** So long that a test which waits for its end fails. */
const NEVER_MS = 3_600_000;

async function claimed(folder: string, holder: unknown): Promise<void> {
  await writeFile(join(folder, "server.json"), typeof holder === "string" ? holder : JSON.stringify(holder));
}

test("a claim is its user's alone, and nothing is left of one that was given up", async () => {
  const folder = await temporaryFolder();
  const claim = await claimWorkDirectory(folder);
  expect(JSON.parse(await readFile(join(folder, "server.json"), "utf8"))).toMatchObject({ pid: process.pid });
  await claim?.release();
  expect(await readdir(folder)).toEqual([]);
});

describe("a holder in the same place", () => {
  test.each([
    ["lives: it keeps the folder", process.ppid, startTimeOf(process.ppid), false],
    ["is gone: its number means nobody", 2 ** 22 + 1, "1", true],
    ["is gone: its number means another process now", process.ppid, "1", true],
    ["was this very process", process.pid, startTimeOf(process.pid), true],
    ["is gone, and this process has its number", process.pid, "1", true],
  ])("that %s", async (_, pid, startedAt, isFree) => {
    const folder = await temporaryFolder();
    await claimed(folder, { pid, startedAt, place: "here" });
    const claim = await claimWorkDirectory(folder, { place: "here", silenceMs: NEVER_MS });
    whenDone(() => claim?.release());
    expect(claim !== undefined).toBe(isFree);
    expect(await readdir(folder)).toEqual(["server.json"]);
  });
});

describe("a holder in another place, whose processes are not to be seen", () => {
  test("keeps the folder as long as it shows that it lives, though its process has the number of ours", async () => {
    const folder = await temporaryFolder();
    const claim = await claimWorkDirectory(folder, { place: "there", heartbeatMs: 10 });
    whenDone(() => claim?.release());
    expect(await claimWorkDirectory(folder, { place: "here", silenceMs: NEVER_MS })).toBeUndefined();
  });

  test("that goes meanwhile leaves the folder at once", async () => {
    const folder = await temporaryFolder();
    const holder = await claimWorkDirectory(folder, { place: "there" });
    const waiting = claimWorkDirectory(folder, { place: "here", silenceMs: NEVER_MS });
    await holder?.release();
    const claim = await waiting;
    expect(claim).toBeDefined();
    await claim?.release();
  });

  test.each([{ pid: 1, startedAt: "1", place: "there" }, { pid: 1 }, "{", ""])("that shows nothing has lost it (%j)", async (holder) => {
    const folder = await temporaryFolder();
    await claimed(folder, holder);
    const claim = await claimWorkDirectory(folder, { place: "here", silenceMs: 60 });
    expect(JSON.parse(await readFile(join(folder, "server.json"), "utf8"))).toMatchObject({ pid: process.pid, place: "here" });
    await claim?.release();
  });
});
