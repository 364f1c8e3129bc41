/** Builds the web console: `node scripts/build-console.mjs [FOLDER] [--watch]`; `dist/console` by default. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "vite";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Browsers of the last years; nothing older is tried. */
const TARGETS = ["chrome123", "firefox128", "safari17.5"];

/** What both parts are built with. No file of configuration: this is all of it. */
const COMMON = {
  configFile: false,
  envDir: false,
  root: join(ROOT, "console"),
  base: "./",
  logLevel: "warn",
};

/**
 * Builds it: the page, and the script of the frame that shows foreign HTML, which is no module because its origin may load none.
 * @param folder Where it goes; emptied before.
 */
export async function buildConsole(folder, { watch = false } = {}) {
  const watching = watch ? { watch: {} } : {};
  await build({
    ...COMMON,
    build: {
      ...watching,
      outDir: folder,
      emptyOutDir: true,
      target: TARGETS,
      cssTarget: TARGETS,
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 600,
    },
  });
  await build({
    ...COMMON,
    publicDir: false,
    build: {
      ...watching,
      outDir: folder,
      emptyOutDir: false,
      target: TARGETS,
      lib: { entry: "output/frame.ts", formats: ["iife"], name: "frame", fileName: () => "frame.js" },
    },
  });
  if (!watch) await compressAll(folder);
}

/** Puts compressed copies beside the files, so that the server has nothing to compress. */
async function compressAll(folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path);
    await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
    await writeFile(`${path}.br`, await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const folder = args.find((arg) => !arg.startsWith("--")) ?? join(ROOT, "dist/console");
  await buildConsole(folder, { watch: args.includes("--watch") });
}
