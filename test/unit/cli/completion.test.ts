/** What Tab offers in the interactive client. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCompleter } from "../../../src/cli/interactive/completion.ts";
import type { ConsoleSession } from "../../../src/cli/interactive/console-session.ts";

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "completion-"));
  mkdirSync(join(cwd, "data/more"), { recursive: true });
  for (const name of ["data/one.csv", "data/two words.csv", "dates.txt", ".hidden"]) writeFileSync(join(cwd, name), "");
});
afterAll(() => rmSync(cwd, { recursive: true }));

/** A session whose kernel offers these from a position, in code points, on. */
function sessionThatOffers(matches: string[], start = 0): ConsoleSession {
  const complete = async (_id: string, _code: string, end: number) => ({ matches, cursor_start: start, cursor_end: end });
  return { handle: { sessionId: "s", client: { complete } } } as unknown as ConsoleSession;
}

const complete = (text: string, session = sessionThatOffers([])) => createCompleter({ session, cwd, isPython: true })(text);

describe("Tab", () => {
  test.each([
    ["/lo", ["/load "]],
    ["/", ["/load ", "/plugins", "/vars", "/artifacts", "/interrupt", "/restart", "/help", "/exit"]],
    ["/nothing", []],
  ])("after %j offers the console's commands", async (text, candidates) => {
    expect(await complete(text)).toEqual({ candidates, typed: text });
  });

  test.each([
    ["/load ", "", ["data/", "dates.txt"]],
    ["/load da", "da", ["data/", "dates.txt"]],
    ["/load data/t", "data/t", ["data/two words.csv"]],
    ['/load "data/two w', "data/two w", ["data/two words.csv"]],
    ["/load data/", "data/", ["data/more/", "data/one.csv", "data/two words.csv"]],
    ["/load .h", ".h", [".hidden"]],
    ["/load nowhere/", "nowhere/", []],
  ])("after %j offers this machine's files", async (text, typed, candidates) => {
    expect(await complete(text)).toEqual({ candidates, typed });
  });

  test("elsewhere offers what the kernel knows, in place of what it says, however wide the characters before are", async () => {
    const session = sessionThatOffers(["counter_of_things", "count"], 4);
    expect(await complete("'🙂';cou", session)).toEqual({ candidates: ["counter_of_things", "count"], typed: "cou" });
  });

  test("offers private names and magics only to who began one", async () => {
    const session = sessionThatOffers(["x.real", "x._private", "x.__add__", "%%time"]);
    expect((await complete("x.", session)).candidates).toEqual(["x.real"]);
    expect((await complete("x._", session)).candidates).toEqual(["x._private", "x.__add__"]);
    expect((await complete("%%t", session)).candidates).toEqual(["%%time"]);
  });

  test("offers nothing where the server cannot be asked, nor Python in a chat", async () => {
    const broken = {
      handle: { sessionId: "s", client: { complete: () => Promise.reject(new Error("gone")) } },
    } as unknown as ConsoleSession;
    expect((await complete("cou", broken)).candidates).toEqual([]);
    const chat = createCompleter({ session: sessionThatOffers(["count"]), cwd, isPython: false });
    expect((await chat("cou")).candidates).toEqual([]);
    expect((await chat("/re")).candidates).toEqual(["/restart"]);
  });
});
