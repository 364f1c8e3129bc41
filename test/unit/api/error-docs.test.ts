/** The page on errors lists exactly the codes and reasons that there are. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { END_REASONS } from "../../../src/api/index.ts";
import { AppError, ERROR_TABLE, type ErrorCode } from "../../../src/errors.ts";
import { PACKAGE_ROOT } from "../../../src/paths.ts";

test("docs/errors.md has every code of the table with its status, in its order, and no other", async () => {
  const rows = [...(await page()).matchAll(/^\| `(\w+)` \| (\d{3}) \| (.+) \| (.+) \|$/gm)];
  const documented = rows.map(([, code, status]) => [code, Number(status)]);
  expect(documented).toEqual(Object.entries(ERROR_TABLE).map(([code, { status }]) => [code, status]));
  for (const [, , , cause, remedy] of rows) for (const text of [cause, remedy]) expect(text).toMatch(/[.]$/);
});

test("docs/errors.md has every reason for which an execution can end, and says which is a success", async () => {
  const rows = [...(await page()).matchAll(/^\| `(\w+)` \| (true|false) \|/gm)];
  expect(rows.map(([, reason]) => reason)).toEqual([...END_REASONS]);
  expect(rows.filter(([, , isSuccess]) => isSuccess === "true").map(([, reason]) => reason)).toEqual(["completed"]);
});

test("every code has a status of a failure and a sentence", () => {
  for (const code of Object.keys(ERROR_TABLE) as ErrorCode[]) {
    const error = new AppError(code);
    expect(error.status).toBeGreaterThanOrEqual(400);
    expect(error.message).toMatch(/^[A-Z].*[.]$/);
    expect(code).toMatch(/^[a-z][a-z0-9_]*$/);
  }
});

function page(): Promise<string> {
  return readFile(join(PACKAGE_ROOT, "docs/errors.md"), "utf8");
}
