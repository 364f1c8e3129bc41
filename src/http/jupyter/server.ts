/** What Jupyter's clients ask of the server itself: its version and status, who they are, and the kernels that it can start. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../../errors.ts";
import type { HttpContext } from "../context.ts";
import type { KernelManager } from "./kernel-manager.ts";
import { kernelSpecModel } from "./models.ts";

const DEFAULT_KERNEL = "python3";

/** VS Code asks for Jupyter's file browser to find out whether a password is needed. */
const TREE_PAGE =
  "<!doctype html><title>TaskWeaver Executor</title><p>This server runs kernels and has no file browser of Jupyter's.</p>\n";

/** `/api`, `/api/status`, `/api/me`, `/api/kernelspecs` and `/tree`. */
export function serverRoutes(app: FastifyInstance, { settings, kernelSpecs }: HttpContext, kernels: KernelManager): void {
  const options = { schema: { hide: true } };
  const started = new Date().toISOString();

  app.get("/api", options, async () => ({ version: settings.version }));

  app.get("/api/status", options, async () => {
    const running = kernels.running();
    return {
      started,
      last_activity: running.map((session) => session.info.last_activity).reduce((last, each) => (each > last ? each : last), started),
      kernels: running.length,
      connections: running.reduce((sum, session) => sum + session.guests.count, 0),
    };
  });

  app.get("/api/me", options, async () => ({
    identity: { username: "user", name: "User", display_name: "User", initials: "U", avatar_url: null, color: null },
    permissions: {},
  }));

  app.get("/api/kernelspecs", options, async () => {
    const specs = kernels.specs(await kernelSpecs());
    return { default: DEFAULT_KERNEL, kernelspecs: Object.fromEntries(specs.map((spec) => [spec.name, kernelSpecModel(spec)])) };
  });

  app.get<{ Params: { name: string } }>("/api/kernelspecs/:name", options, async (request) => {
    const spec = kernels.specs(await kernelSpecs()).find(({ name }) => name === request.params.name);
    if (spec === undefined) throw new AppError("not_found", `No kernel ${request.params.name.slice(0, 128)} is installed.`);
    return kernelSpecModel(spec);
  });

  app.get("/tree", options, (_request, reply) => reply.type("text/html; charset=utf-8").send(TREE_PAGE));
}
