/** The journal of a session: what goes in comes out, whatever else lies in the file, also where it is written anew. */
import { appendFile, mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { readdirSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { AppError } from "../../../../src/errors.ts";
import { readEntries, type ExecutionJournal, type JournalEntry } from "../../../../src/session/journal/journal-entry.ts";
import { JournalFile, type JournalFileOptions } from "../../../../src/session/journal/journal-file.ts";
import { scanJournal } from "../../../../src/session/journal/journal-scan.ts";
import { temporaryFolder } from "../../../helpers/fake-session.ts";
import { whenDone } from "../../../helpers/when-done.ts";

let file: string;
const onFault = vi.fn();
const OVER = new AppError("session_not_found", "The session was stopped.");

beforeEach(async () => {
  file = join(await temporaryFolder(), "executions.jsonl");
  onFault.mockReset();
});

describe("an execution's entries", () => {
  test("come back in their order, apart from those of others", async () => {
    const journal = open();
    const [one, two] = [journal.of(1), journal.of(2)];
    for (const text of ["a", "ü\u2028\n", "\ud800"]) {
      one.append(out(text));
      two.append(out(`${text} of the other`));
    }
    expect(await textsOf(one)).toEqual(["a", "ü\u2028\n", "\ud800"]);
    expect(await textsOf(two)).toHaveLength(3);
  });

  test("are read by kind, in pieces, while more are added", async () => {
    const one = open().of(1);
    const long = "x".repeat(300_000);
    for (const text of ["first", long, "last"]) one.append(out(text));
    one.append({ kind: "stderr", id: 4, count: 4, text: "other" });
    const reader = one.read("stdout");
    const texts: string[] = [];
    for (let some = await reader.next(); some.length > 0; some = await reader.next()) texts.push(...some.map(({ text }) => text));
    expect(texts).toEqual(["first", long, "last"]);
    one.append(out("later"));
    expect(await reader.next()).toMatchObject([{ text: "later" }]);
    expect(await reader.next()).toEqual([]);
    reader.close();
  });

  test("stay readable for who holds them, also when the session is over", async () => {
    const journal = open();
    const one = journal.of(1);
    one.append(out("a"));
    const release = one.hold();
    journal.close(OVER);
    expect(await textsOf(one)).toEqual(["a"]);
    release();
    await expect(textsOf(one)).rejects.toBe(OVER);
    expect(openFiles()).toEqual([]);
  });

  test("that the disk does not take are kept in memory, behind those that it took", async () => {
    await writeFile(file, "");
    const journal = open();
    const one = journal.of(1);
    one.append(out("on disk"));
    journal.append = () => undefined;
    one.append(out("in memory"));
    one.append(shown(2, 0, "first"));
    one.append(shown(3, 2, "second"));
    expect(await textsOf(one)).toEqual(["on disk", "in memory"]);
    expect(await shownIn(one)).toEqual(["second"]);
  });

  test("are kept in memory where there can be no file", async () => {
    const one = open({ file: join(file, "no such folder", "f") }).of(1);
    one.append(out("a"));
    one.append(out("b"));
    expect(await textsOf(one)).toEqual(["a", "b"]);
    expect(onFault).toHaveBeenCalledOnce();
  });

  test("of a session that nobody is to find are in no folder", async () => {
    const one = open({ isTemporary: true }).of(1);
    one.append(out("a"));
    expect(await readdir(dirname(file))).toEqual([]);
    expect(await textsOf(one)).toEqual(["a"]);
  });
});

describe("an artifact's next state", () => {
  test("takes the earlier one out", async () => {
    const one = open().of(1);
    accept(one, 1);
    one.append(shown(1, 0, "a"));
    one.append(out("between"));
    one.append(shown(3, 1, "b"));
    expect(await shownIn(one)).toEqual(["b"]);
    const [execution] = await scanJournal(file);
    expect(execution?.ranges.all).toHaveLength(2);
    expect([...(execution?.places.keys() ?? [])]).toEqual([3]);
  });
});

describe("a file that holds mostly what counts no more", () => {
  test("is written anew, and everything is found again in it: by those who know it and by a server to come", async () => {
    const journal = open({ compactFromBytes: 10_000 });
    const [one, live, gone] = [journal.of(1), journal.of(2), journal.of(3)];
    accept(one, 1);
    accept(live, 2);
    accept(gone, 3);
    one.append(out("kept"));
    gone.append(out("x".repeat(5000)));
    for (let id = 1; id <= 20; id += 1) {
      live.append(out(`step ${id}`));
      live.append(shown(id, id - 1, `${"y".repeat(1000)}${id}`));
    }
    gone.forget();
    await journal.settled();
    const { size } = await stat(file);
    expect(size).toBeLessThan(10_000);
    live.append(out("after"));
    live.append(shown(21, 20, "the last"));
    expect(await textsOf(one)).toEqual(["kept"]);
    expect(await textsOf(live)).toEqual([...Array.from({ length: 20 }, (_, step) => `step ${step + 1}`), "after"]);
    expect(await shownIn(live)).toEqual(["the last"]);
    expect(await readdir(dirname(file))).toEqual(["executions.jsonl"]);
    journal.close(OVER);
    const executions = await scanJournal(file);
    expect(executions.map(({ accepted }) => accepted.index)).toEqual([1, 2]);
    const again = open({ found: executions.map(({ accepted, ranges, places }) => ({ index: accepted.index, ranges, places })) });
    expect(await shownIn(again.of(2))).toEqual(["the last"]);
    expect((await textsOf(again.of(2))).at(-1)).toBe("after");
    expect(onFault).not.toHaveBeenCalled();
  });

  test("takes what comes while it is written anew", async () => {
    const journal = open({ compactFromBytes: 1000 });
    const [one, gone] = [journal.of(1), journal.of(2)];
    accept(one, 1);
    accept(gone, 2);
    gone.append(out("x".repeat(5000)));
    one.append(out("before"));
    gone.forget();
    for (let count = 0; count < 100; count += 1) one.append(out(`${count}`));
    const during = journal.of(3);
    accept(during, 3);
    during.append(out("new"));
    await journal.settled();
    expect((await stat(file)).size).toBeLessThan(8000);
    expect(await textsOf(one)).toEqual(["before", ...Array.from({ length: 100 }, (_, count) => `${count}`)]);
    expect(await textsOf(during)).toEqual(["new"]);
  });

  test("waits while somebody reads", async () => {
    const journal = open({ compactFromBytes: 1000 });
    const [one, gone] = [journal.of(1), journal.of(2)];
    one.append(out("kept"));
    gone.append(out("x".repeat(5000)));
    const reader = one.read("stdout");
    gone.forget();
    await journal.settled();
    expect((await stat(file)).size).toBeGreaterThan(5000);
    expect(await reader.next()).toMatchObject([{ text: "kept" }]);
    reader.close();
    await journal.settled();
    expect((await stat(file)).size).toBeLessThan(1000);
    expect(await textsOf(one)).toEqual(["kept"]);
  });

  test("stays as it is where no other can be written, and so does the journal", async () => {
    const journal = open({ compactFromBytes: 1000 });
    const [one, gone] = [journal.of(1), journal.of(2)];
    one.append(out("kept"));
    gone.append(out("x".repeat(5000)));
    // A folder where the new file is to be made.
    await mkdir(`${file}.new`);
    gone.forget();
    await journal.settled();
    expect(onFault).toHaveBeenCalledOnce();
    one.append(out("later"));
    expect(await textsOf(one)).toEqual(["kept", "later"]);
  });

  test("and a server that is killed meanwhile: the next one finds the old file, and the half of a new one harms nothing", async () => {
    const journal = open({ compactFromBytes: 1000 });
    accept(journal.of(1), 1);
    journal.close(OVER);
    await writeFile(`${file}.new`, '{"version":2}\n{"of":1,"kind":"acc');
    const executions = await scanJournal(file);
    const again = open({ compactFromBytes: 1000, found: executions.map((one) => ({ index: 1, ...one })) });
    again.of(2).append(out("x".repeat(5000)));
    again.of(2).forget();
    await again.settled();
    expect((await scanJournal(file)).map(({ accepted }) => accepted.index)).toEqual([1]);
  });
});

describe("what an earlier server wrote", () => {
  test("is told without its results: where they are, and how it went", async () => {
    const one = open().of(7);
    accept(one, 7);
    one.append({ kind: "sent", messageId: "m1", startedAt: "2024-01-01T00:00:00.000Z", kernel: 12 });
    one.append(out("text"));
    one.append({
      kind: "end",
      finishedAt: "2024-01-01T00:00:01.000Z",
      end: { reason: "error", error: "long", stateKept: false, lostKernel: 12 },
    });
    const [execution] = await scanJournal(file);
    expect(execution).toMatchObject({
      accepted: { request: { executionId: "x7", code: "" } },
      sent: { messageId: "m1", kernel: 12 },
      end: { end: { reason: "error", error: null, stateKept: false, lostKernel: 12 } },
      lastEventId: 1,
    });
  });

  test("costs no more than the line that is damaged, or its execution", async () => {
    const journal = open();
    accept(journal.of(1), 1);
    journal.of(1).append(out("before"));
    await appendFile(file, '{"of":1,"kind":"stdout","id":2,"text":"half\n\0\0\0\n{"of":2,"kind":"accepted","index":2,\nnonsense\n');
    await appendFile(file, '{"of":1,"kind":"stdout","id":3,"count":3,"text":"after"}\n{"of":1,"kind":"stdout","id":4,"te');
    const executions = await scanJournal(file);
    expect(executions).toHaveLength(1);
    const again = open({ found: executions.map((one) => ({ index: 1, ...one })) });
    again.of(1).append(out("new"));
    expect(await textsOf(again.of(1))).toEqual(["before", "after", "new"]);
    again.close(OVER);
    expect(await scanJournal(file)).toHaveLength(1);
  });

  test("is none where there is no file, an empty one, or one of another version", async () => {
    expect(await scanJournal(file)).toEqual([]);
    await writeFile(file, "");
    expect(await scanJournal(file)).toEqual([]);
    await writeFile(file, `{"version":99}\n{"of":1,"kind":"accepted","index":1,"request":{}}\n`);
    expect(await scanJournal(file)).toEqual([]);
  });

  test("is read line by line, also where a line is longer than what is read at once", async () => {
    const journal = open();
    accept(journal.of(1), 1, "c".repeat(3_000_000));
    journal.of(1).append(out("y".repeat(2_500_000)));
    accept(journal.of(2), 2);
    expect((await scanJournal(file)).map(({ accepted }) => accepted.request.code.length)).toEqual([3_000_000, 4]);
  });

  test("that was cut short meanwhile fails who reads it, and nobody else", async () => {
    const journal = open();
    journal.of(1).append(out("x".repeat(1000)));
    await truncate(file, 100);
    await expect(textsOf(journal.of(1))).rejects.toThrow("cut short");
  });
});

test("a file of a session that had the same name is not gone on with", async () => {
  await writeFile(file, '{"version":2}\n{"of":1,"kind":"accepted","index":1,"request":{"code":""}}\n');
  open().of(5).append(out("mine"));
  expect(await readFile(file, "utf8")).toBe(`{"version":2}\n{"of":5,"kind":"stdout","id":1,"count":1,"text":"mine"}\n`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

function open(over: Partial<JournalFileOptions> = {}): JournalFile {
  const journal = new JournalFile({ file, onFault, ...over });
  whenDone(() => journal.close(OVER));
  return journal;
}

function out(text: string): JournalEntry {
  return { kind: "stdout", id: 1, count: 1, text };
}

function shown(id: number, replaces: number, preview: string): JournalEntry {
  const artifact = { name: "a", type: "txt", mime_type: "text/plain", original_name: "f", file_name: "f", preview } as const;
  return { kind: "artifact", id, replaces, count: id, artifact };
}

function accept(journal: ExecutionJournal, index: number, code = "code"): void {
  const request = { executionId: `x${index}`, code, timeoutMs: null, allowInput: false };
  journal.append({ kind: "accepted", index, queuedAt: "2024-01-01T00:00:00.000Z", repeat: null, request });
}

async function textsOf(journal: ExecutionJournal): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of readEntries(journal, "stdout")) texts.push(text);
  return texts;
}

async function shownIn(journal: ExecutionJournal): Promise<string[]> {
  const previews: string[] = [];
  for await (const { artifact } of readEntries(journal, "artifact")) previews.push(artifact.preview);
  return previews;
}

/** This test's files that the process has open. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(file) ? [path] : [];
    } catch {
      return [];
    }
  });
}
