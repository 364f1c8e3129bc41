/** `docs/configuration.md` has the tables that the settings' schema makes. `UPDATE_DOCS=1` writes them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { settingsTable } from "../../../src/config.ts";
import { PACKAGE_ROOT } from "../../../src/paths.ts";

const PAGE = join(PACKAGE_ROOT, "docs/configuration.md");

test("the page's tables are those of the schema", () => {
  const page = readFileSync(PAGE, "utf8");
  const made = page.replaceAll(
    /(<!-- table: (client|server|gateway) -->\n)[^]*?(<!-- end -->)/g,
    (_, begin: string, side: "client" | "server" | "gateway", end: string) => `${begin}${settingsTable(side)}\n${end}`,
  );
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, made);
  else expect(page).toBe(made);
});
