/** Logs of kernel processes stay short, whoever goes on writing to them. */
import { link, open, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { readLogTail } from "../../../src/provision/log-tail.ts";
import { KernelLogs } from "../../../src/session/kernel-logs.ts";
import { SILENT, temporaryFolder } from "../../helpers/fake-session.ts";

const MAX_BYTES = 1024 * 1024;

async function watched(): Promise<{ file: string; logs: KernelLogs }> {
  const file = join(await temporaryFolder(), "kernel.log");
  const logs = new KernelLogs({ files: () => [`${file}.absent`, file], maxBytes: MAX_BYTES, logger: SILENT, intervalMs: 5 });
  onTestFinished(() => logs.close());
  return { file, logs };
}

test("one that is too long keeps a mark and its end, and who has it open goes on behind them", async () => {
  const { file, logs } = await watched();
  const writer = await open(file, "a");
  onTestFinished(() => writer.close());
  await writer.write("x".repeat(MAX_BYTES));
  const startBytes = (await writer.stat()).size;
  await logs.look();
  expect((await stat(file)).size).toBe(MAX_BYTES);
  await writer.write("the end\n");
  await logs.look();
  await writer.write("and on\n");
  const text = await readFile(file, "utf8");
  expect(text.length).toBeLessThan(100_000);
  expect(text).toMatch(/^\[cut here: \d+ bytes before this are gone\]\n(.|\n)*the end\nand on\n$/);
  expect(await readLogTail({ file, startBytes }, 20)).toBe("and on");
});

test("is looked at by itself", async () => {
  const { file, logs } = await watched();
  await writeFile(file, "x".repeat(3 * MAX_BYTES));
  logs.start();
  await vi.waitFor(async () => expect((await stat(file)).size).toBeLessThan(MAX_BYTES));
});

test("where nothing runs it is looked at by the way", async () => {
  const file = join(await temporaryFolder(), "kernel.log");
  const asked: string[] = [];
  const files = (which: "all" | "busy"): string[] => {
    asked.push(which);
    return which === "all" ? [file] : [];
  };
  const logs = new KernelLogs({ files, maxBytes: MAX_BYTES, logger: SILENT, intervalMs: 1 });
  onTestFinished(() => logs.close());
  await writeFile(file, "x".repeat(3 * MAX_BYTES));
  logs.start();
  await vi.waitFor(async () => expect((await stat(file)).size).toBeLessThan(MAX_BYTES));
  expect(asked.slice(0, asked.indexOf("all"))).toEqual(Array.from({ length: 9 }, () => "busy"));
});

test.each([
  ["a symbolic link", symlink],
  ["another name of a file", link],
])("%s in its place is not followed: what is there is not ours to cut", async (_, put) => {
  const { file, logs } = await watched();
  const foreign = `${file}.foreign`;
  await writeFile(foreign, "x".repeat(3 * MAX_BYTES));
  await put(foreign, file);
  await logs.look();
  expect((await stat(foreign)).size).toBe(3 * MAX_BYTES);
});
