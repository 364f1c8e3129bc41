/** Kernels as Jupyter's clients start and end them, over the sessions of the server. */
import { randomUUID } from "node:crypto";
import { AppError } from "../../errors.ts";
import type { SessionStore } from "../../session/session-store.ts";
import type { Session } from "../../session/session.ts";
import type { KernelSpecInfo } from "../context.ts";
import { kernelIdOf } from "./kernel-id.ts";

/** What a kernel is started with. */
export interface StartKernelOptions {
  /** A kernelspec's, or that of a running session. */
  name?: string | null | undefined;
  kernel_id?: string | null | undefined;
  env?: Record<string, unknown> | null | undefined;
}

/** A running session is offered as a kernelspec of this name and its id: some clients, JupyterLab behind a gateway among them, know no other way to it. */
const SESSION_PREFIX = "session.";

/** Finds, starts and ends kernels. */
export class KernelManager {
  readonly #sessions: SessionStore;
  /** How often clients have joined a session by its kernelspec and not let it go. */
  readonly #joined = new Map<string, number>();
  /** The sessions that a client started here; they are Jupyter's to end. */
  readonly #started = new Set<string>();

  constructor(sessions: SessionStore) {
    this.#sessions = sessions;
  }

  /** The sessions that have a kernel now. */
  running(): Session[] {
    return this.#sessions.list().filter((session) => session.running);
  }

  /** The session of a kernel, by the kernel's id or by its own. @throws AppError `session_not_found`. */
  get(kernelId: string): Session {
    const sessions = this.#sessions.list();
    const session = sessions.find(({ id }) => id === kernelId) ?? sessions.find(({ id }) => kernelIdOf(id) === kernelId);
    if (session === undefined) throw new AppError("session_not_found", `There is no kernel ${kernelId.slice(0, 128)}.`);
    return session;
  }

  /** As {@link get}, where the kernel runs now. @throws AppError `session_not_found`. */
  getRunning(kernelId: string): Session {
    const session = this.get(kernelId);
    if (!session.running) throw new AppError("session_not_found", `The kernel ${kernelId.slice(0, 128)} is not running.`);
    return session;
  }

  /** Starts a session for a client, with an id that Jupyter takes for a kernel's; or joins the one that the name says. */
  async start({ name, kernel_id, env }: StartKernelOptions): Promise<Session> {
    if (name?.startsWith(SESSION_PREFIX)) return this.#join(this.getRunning(name.slice(SESSION_PREFIX.length)));
    const entries = Object.entries(env ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === "string");
    const session = await this.#sessions.create({
      session_id: kernel_id ?? randomUUID(),
      ...(name === undefined || name === null || name === "" ? {} : { kernel: name }),
      env: Object.fromEntries(entries),
    });
    this.#forgetEnded();
    this.#started.add(session.id);
    return session;
  }

  /**
   * Ends a kernel: with its session where that was started here, else the kernel alone, since the session is another's. One that was joined is only let
   * go: Jupyter's servers shut all their kernels down when they end.
   */
  async end(session: Session): Promise<void> {
    const joined = this.#joined.get(session.id) ?? 0;
    if (joined > 1) this.#joined.set(session.id, joined - 1);
    else this.#joined.delete(session.id);
    if (joined > 0) return;
    if (this.#started.delete(session.id)) await this.#sessions.remove(session.id);
    else if (session.running) await session.endKernel("a Jupyter client shut it down");
  }

  /** The kernels that can be started, then the sessions that can be joined. */
  specs(installed: KernelSpecInfo[]): KernelSpecInfo[] {
    const joinable = this.running().map(({ id, info }) => {
      const { language = "", interruptMode = "signal" } = installed.find(({ name }) => name === info.kernel) ?? {};
      return { name: SESSION_PREFIX + id, displayName: `Session ${id}`, language, interruptMode };
    });
    return [...installed, ...joinable];
  }

  #join(session: Session): Session {
    session.touch();
    this.#forgetEnded();
    this.#joined.set(session.id, (this.#joined.get(session.id) ?? 0) + 1);
    return session;
  }

  #forgetEnded(): void {
    const ids = new Set(this.#sessions.list().map(({ id }) => id));
    for (const id of this.#joined.keys()) if (!ids.has(id)) this.#joined.delete(id);
    for (const id of this.#started) if (!ids.has(id)) this.#started.delete(id);
  }
}
