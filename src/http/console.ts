/** `/`: the web console, static files that hold no secret; what they show they ask of the API, with the key where one is needed. */
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { PACKAGE_ROOT } from "../paths.ts";

/** Where `npm run build` puts it. */
const CONSOLE_FOLDER = join(PACKAGE_ROOT, "dist/console");

/** Nothing from elsewhere, nothing inline, in no frame. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The frame shows HTML that code made. Its scripts run, but in an origin of their own (also where somebody opens the frame by itself), without
 * the network, and without a way out of the frame.
 */
const FRAME_POLICY = [
  "sandbox allow-scripts",
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob: data:",
  "style-src 'unsafe-inline'",
  "img-src data: blob:",
  "media-src data: blob:",
  "font-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join("; ");

const YEAR_SECONDS = 31_536_000;

/**
 * Registers the console; answers anyone.
 * @param folder Need not be there yet: a path without its file is 404.
 */
export async function registerConsole(app: FastifyInstance, folder: string = CONSOLE_FOLDER): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook("onRoute", (route) => {
      route.config = { ...route.config, public: true };
    });
    for (const name of ["assets", "charts"]) {
      await scope.register(fastifyStatic, {
        root: join(folder, name),
        prefix: `/${name}/`,
        decorateReply: name === "assets",
        index: false,
        redirect: false,
        preCompressed: true,
        cacheControl: false,
        setHeaders: (reply, path) => {
          for (const [header, value] of Object.entries(headersOf(path))) reply.setHeader(header, value);
        },
      });
    }
    const options = { schema: { hide: true } };
    for (const [path, file] of Object.entries({ "/": "index.html", "/frame.html": "frame.html" })) {
      scope.route({ method: ["GET", "HEAD"], url: path, ...options, handler: (_request, reply) => reply.sendFile(file, folder) });
    }
  });
}

/** @param path Of the file that is sent, which may be a compressed copy. */
function headersOf(path: string): Record<string, string> {
  const common = { "referrer-policy": "no-referrer", vary: "accept-encoding", "x-content-type-options": "nosniff" };
  // The names of assets change with their content.
  if (/[\\/]assets[\\/]/.test(path)) return { ...common, "cache-control": `public, max-age=${YEAR_SECONDS}, immutable` };
  const isFrame = /[\\/]frame\.html(\.\w+)?$/.test(path);
  return {
    ...common,
    "cache-control": "no-cache",
    "content-security-policy": isFrame ? FRAME_POLICY : PAGE_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": isFrame ? "SAMEORIGIN" : "DENY",
  };
}
