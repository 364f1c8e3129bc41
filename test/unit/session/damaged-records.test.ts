/** What an earlier server wrote down, damaged in every way: it costs a line, an execution or a session, never the start. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { openStore, settle, temporaryFolder } from "../../helpers/fake-session.ts";
import { journalOf, writeSession, WRITTEN_RECORD } from "../../helpers/written-session.ts";

const REQUEST = { executionId: "a", code: "1", timeoutMs: null, allowInput: false };
const JOURNAL = [
  { version: 2 },
  { of: 1, kind: "accepted", index: 1, queuedAt: "2026-01-01T00:00:01.000Z", repeat: null, request: REQUEST },
  { of: 1, kind: "sent", messageId: "m", startedAt: "2026-01-01T00:00:02.000Z", kernel: 4_000_000 },
  { of: 1, kind: "stdout", id: 1, count: 1, text: "kept\n" },
  { of: 1, kind: "log", count: 2, entry: ["info", "tag", "text"] },
  { of: 1, kind: "end", finishedAt: "2026-01-01T00:00:03.000Z", end: { reason: "completed", error: null, stateKept: true } },
  { of: 2, kind: "accepted", index: 2, queuedAt: "2026-01-01T00:00:04.000Z", repeat: null, request: { ...REQUEST, executionId: "b" } },
];

/** A value in which one part, anywhere, is something else, or is not there. */
function damaged(value: unknown): fc.Arbitrary<unknown> {
  const parts = Array.isArray(value)
    ? value.map((_, index) => String(index))
    : typeof value === "object" && value !== null
      ? Object.keys(value)
      : [];
  const here = fc.oneof(fc.jsonValue(), fc.constant(undefined));
  if (parts.length === 0) return here;
  const inside = fc
    .constantFrom(...parts)
    .chain((part) =>
      damaged((value as Record<string, unknown>)[part]).map((other) =>
        Array.isArray(value) ? value.with(Number(part), other) : { ...(value as object), [part]: other },
      ),
    );
  return fc.oneof({ weight: 1, arbitrary: here }, { weight: 5, arbitrary: inside });
}

test("a record that is damaged anywhere costs its session at most", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        damaged(WRITTEN_RECORD).map((value) => JSON.stringify(value) ?? ""),
        fc.string(),
      ),
      async (record) => {
        await recoverFrom(record, journalOf(JOURNAL));
      },
    ),
    { numRuns: 60 },
  );
});

test("a journal that is damaged anywhere costs what it tells of at most", async () => {
  const damagedLine = fc.nat({ max: JOURNAL.length - 1 }).chain((at) =>
    fc
      .oneof(
        damaged(JOURNAL[at]).map((line) => JSON.stringify(line) ?? ""),
        fc.string(),
      )
      .map((line) => journalOf(JOURNAL).split("\n").with(at, line).join("\n")),
  );
  const cut = fc.nat({ max: journalOf(JOURNAL).length }).map((length) => journalOf(JOURNAL).slice(0, length));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damagedLine, cut), async (journal) => {
      expect(await recoverFrom(JSON.stringify(WRITTEN_RECORD), journal)).toContain("s1");
    }),
    { numRuns: 60 },
  );
});

test.each([
  ["null"],
  ["1"],
  ['{"of":1}'],
  ['{"of":1,"kind":"accepted"}'],
  ['{"of":1,"kind":"end","end":null}'],
  ['{"of":1,"kind":"stdout","id":9}'],
  ["half of a li"],
])("the line %s costs itself, or its execution, and not the other one", async (line) => {
  expect(await recoverFrom(JSON.stringify(WRITTEN_RECORD), `${journalOf(JOURNAL)}${line}\n`, "b")).toContain("s1");
});

/** @returns the sessions that are there again; the store is tried out. */
async function recoverFrom(record: string, journal: string, known?: string): Promise<string[]> {
  const workDirectory = await temporaryFolder();
  await writeSession(workDirectory, record, journal);
  const { store } = await openStore({ workDirectory, reconnect: async () => ({}) });
  await store.recover();
  const ids = store.list().map(({ id }) => id);
  if (known !== undefined)
    expect(
      store
        .get("s1")
        .executions()
        .map(({ id }) => id),
    ).toContain(known);
  const fresh = await store.create({ session_id: "fresh" });
  expect(fresh.running).toBe(true);
  await settle();
  await store.close();
  return ids;
}
