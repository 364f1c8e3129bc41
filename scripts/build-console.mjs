/** Builds the web console: `node scripts/build-console.mjs [FOLDER] [--watch]`; `dist/console` by default. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "vite";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/**
 * What draws charts that are data, each as one file of ready-made parts. They are larger than all the rest: the page asks for one with the first chart
 * that needs it.
 */
const CHART_LIBRARIES = {
  plotly: ["plotly.js-dist-min/plotly.min.js"],
  vega: ["vega/build/vega.min.js", "vega-lite/build/vega-lite.min.js", "vega-embed/build/vega-embed.min.js"],
};

/** Browsers of the last years; nothing older is tried. */
const TARGETS = ["chrome123", "firefox128", "safari17.5"];

const LARGEST_BROTLI_BYTES = 1_000_000;

/** What page and frame are built with. No file of configuration: this is all of it. */
const COMMON = {
  configFile: false,
  envDir: false,
  root: join(ROOT, "console"),
  base: "./",
  publicDir: false,
  logLevel: "warn",
};

/**
 * Builds it.
 * @param folder Where it goes; emptied before.
 */
export async function buildConsole(folder, { watch = false } = {}) {
  await build({
    ...COMMON,
    build: {
      ...(watch ? { watch: {} } : {}),
      outDir: folder,
      // On every change it would take the frame along.
      emptyOutDir: !watch,
      target: TARGETS,
      cssTarget: TARGETS,
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 600,
    },
  });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "frame.html"), await buildFrame());
  await writeChartLibraries(join(folder, "charts"));
  if (!watch) await compressAll(folder);
}

/** The frame that shows foreign HTML, as one file: its origin may load nothing from the server. */
async function buildFrame() {
  const [{ output }] = await build({
    ...COMMON,
    build: { write: false, target: TARGETS, lib: { entry: "output/frame.ts", formats: ["iife"], name: "frame" } },
  });
  const page = await readFile(join(COMMON.root, "output/frame.html"), "utf8");
  const script = output[0].code.trim().replaceAll("</script", "<\\/script");
  return page.replace(/<!-- .* -->/, () => `<script>${script}</script>`);
}

/** Puts the libraries together, each part behind its licence. */
async function writeChartLibraries(folder) {
  await mkdir(folder, { recursive: true });
  for (const [name, parts] of Object.entries(CHART_LIBRARIES)) {
    const texts = parts.map(async (part) => {
      const [packageName = ""] = part.split("/");
      const licence = await readFile(join(ROOT, "node_modules", packageName, "LICENSE"), "utf8");
      const source = await readFile(join(ROOT, "node_modules", part), "utf8");
      return `/*! ${packageName}\n\n${licence.replaceAll("*/", "* /")}*/\n${source.replace(/\n\/\/# sourceMappingURL=.*/, "")}\n`;
    });
    await writeFile(join(folder, `${name}.js`), (await Promise.all(texts)).join(""));
  }
}

/** Puts compressed copies beside the files, so that the server has nothing to compress. */
async function compressAll(folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path);
    await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
    // Of megabytes this would take half a minute.
    if (content.length > LARGEST_BROTLI_BYTES) continue;
    await writeFile(`${path}.br`, await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const folder = args.find((arg) => !arg.startsWith("--")) ?? join(ROOT, "dist/console");
  await buildConsole(folder, { watch: args.includes("--watch") });
}
