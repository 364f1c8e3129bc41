/** The way to the server that this page came from: the SDK's client, the key of this tab, and whether anybody answers. */
import { signal } from "@preact/signals";
import { ExecutionClient, isFault } from "../../src/client/index.ts";

const KEY_NAME = "taskweaver.key";
const FIRST_PING_MS = 300;
const PING_MS = 1_000;
const PING_TIMEOUT_MS = 4_000;

/** Why a key is asked for. */
export type KeyQuestion = "missing" | "wrong";

/** Where keys are kept; a tab's `sessionStorage`. */
export type KeyStore = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** One server. Notices by itself when the connection breaks, and when it is there again. */
export class ServerLink {
  /** Whether the last request was answered. */
  readonly isOnline = signal(true);
  /** How often the connection has come back, a new key included: whoever waits for something may have missed its end. */
  readonly returns = signal(0);
  /** Set while a key is needed. */
  readonly keyQuestion = signal<KeyQuestion | null>(null);
  /** Whether this tab keeps a key. */
  readonly hasKey = signal(false);
  readonly url: string;
  readonly #keys: KeyStore;
  #client: ExecutionClient;
  #pingTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param url Where the page lies; the API lies below. */
  constructor(url: string, keys: KeyStore) {
    this.url = url;
    this.#keys = keys;
    const key = keys.getItem(KEY_NAME);
    this.hasKey.value = key !== null;
    this.#client = this.#makeClient(key);
    globalThis.addEventListener("online", () => this.#schedulePing(0));
  }

  /** Knows the key of this tab; ask for it anew for each call. */
  get client(): ExecutionClient {
    return this.#client;
  }

  /** A request was not answered in time: the connection may be dead without having said so. */
  noteSilence(): void {
    this.#setOffline();
  }

  /**
   * Tries a key, and keeps it for this tab where it is right.
   * @returns Whether it is.
   */
  async tryKey(key: string): Promise<boolean> {
    const client = this.#makeClient(key);
    try {
      await client.listSessions({ timeoutMs: PING_TIMEOUT_MS });
    } catch (error) {
      if (isFault(error, "unauthorized")) return false;
      throw error;
    }
    this.#keys.setItem(KEY_NAME, key);
    this.hasKey.value = true;
    this.#client = client;
    this.keyQuestion.value = null;
    this.returns.value += 1;
    return true;
  }

  /** Forgets the key of this tab. */
  forgetKey(): void {
    this.#keys.removeItem(KEY_NAME);
    this.hasKey.value = false;
    this.#client = this.#makeClient(null);
  }

  #makeClient(key: string | null): ExecutionClient {
    const client: ExecutionClient = new ExecutionClient({
      url: this.url,
      apiKey: key ?? undefined,
      fetch: async (url, init) => {
        try {
          const response = await globalThis.fetch(url, init);
          // A proxy that answers for a server that does not.
          if (response.status === 502 || response.status === 504) this.#setOffline();
          else this.#setOnline();
          if (response.status === 401 && this.#client === client) this.keyQuestion.value = key === null ? "missing" : "wrong";
          return response;
        } catch (error) {
          if (init.signal?.aborted !== true) this.#setOffline();
          throw error;
        }
      },
    });
    return client;
  }

  #setOnline(): void {
    clearTimeout(this.#pingTimer);
    if (this.isOnline.value) return;
    this.isOnline.value = true;
    this.returns.value += 1;
  }

  #setOffline(): void {
    if (!this.isOnline.value) return;
    this.isOnline.value = false;
    this.#schedulePing(FIRST_PING_MS);
  }

  #schedulePing(delayMs: number): void {
    clearTimeout(this.#pingTimer);
    this.#pingTimer = setTimeout(() => {
      if (this.isOnline.value) return;
      // An answer of any kind sets the link online on its way through `fetch`.
      this.#client
        .health({ timeoutMs: PING_TIMEOUT_MS })
        .catch(() => undefined)
        .finally(() => {
          if (!this.isOnline.value) this.#schedulePing(PING_MS);
        });
    }, delayMs);
  }
}
