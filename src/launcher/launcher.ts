/** Starting a server: the interface that every way to start one implements. */
import type { Fetch } from "../client/index.ts";
import type { ClientSettings } from "../config.ts";

/** How a server is asked for. */
export interface LaunchRequest {
  settings: ClientSettings;
  /** Told line by line what takes long before the server itself can say so, e.g. the pulling of an image. */
  onProgress: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** How a server ended. */
export interface ServerExit {
  exitCode: number | null;
  signal: string | null;
}

/** A server that was started; it may not answer yet. */
export interface LaunchedServer {
  /** Where it will answer. */
  readonly url: string;
  /** The key that it asks for; null for none. */
  readonly apiKey: string | null;
  /** How to reach it where that is not by `url` alone. */
  readonly fetch: Fetch | undefined;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<ServerExit>;
  /** What it said to people since the last call, line by line; asked now and then until it answers. */
  newLines(): Promise<string[]>;
  /** What it said last, for an error message. */
  lastWords(): Promise<string>;
  /** Lets it go on without this process. */
  detach(): void;
  /** Ends it. Idempotent. */
  terminate(): Promise<void>;
}

/** Starts servers; one implementation per way to run one. */
export interface ServerLauncher {
  /**
   * Starts a server; resolves when it runs, not yet when it answers.
   * @throws UsageError where the machine does not allow it, with what to do.
   */
  launch(request: LaunchRequest): Promise<LaunchedServer>;
}
