/** The session of calls that name none. */
import type { ExecutionClient } from "../client/index.ts";

/** Without a call for this long the kernel of a session that was started here ends; its files stay. */
const IDLE_TIMEOUT_MS = 60 * 60 * 1000;

/** One session for one connection, started by the first call that needs it. */
export class DefaultSession {
  readonly id: string;
  #started: Promise<void> | undefined;

  /** @param id Chosen by the user, or a random one. */
  constructor(id: string) {
    this.id = id;
  }

  /** The session that a call is for, started where it has to be. */
  async idFor(client: ExecutionClient, requested: string | null | undefined): Promise<string> {
    if (typeof requested === "string") return requested;
    this.#started ??= startSession(client, this.id).catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    await this.#started;
    return this.id;
  }

  /** Ends the session, where one was started: the conversation that it was for is over. */
  async end(client: ExecutionClient): Promise<void> {
    if (this.#started === undefined) return;
    await this.#started.catch(() => undefined);
    await client.stop(this.id);
  }
}

/** Starts a session, or takes the one that has this id. */
export async function startSession(client: ExecutionClient, id: string): Promise<void> {
  await client.start(id, { idleTimeoutMs: IDLE_TIMEOUT_MS });
}
