/** Where executors are: the list that was given, with names that DNS answers for looked up. */
import { lookup } from "node:dns/promises";
import { setTimeout as pause } from "node:timers/promises";
import { UsageError } from "../errors.ts";

/** An executor's address. */
export interface ExecutorAddress {
  /** Its origin, e.g. `http://10.0.0.7:8000`. */
  origin: string;
  /** The name that a certificate is made out to, where the origin is a number that DNS gave. */
  serverName?: string;
}

/** A part of the list: one executor, or a name for all that DNS knows. */
export type AddressSource = { kind: "static"; origin: string } | { kind: "dns"; name: string; port: number; scheme: "http" | "https" };

/** Finds the addresses of a name. */
export type Resolve = (name: string) => Promise<string[]>;

/**
 * Reads what was written: `http://HOST:PORT`, `https://HOST:PORT`, `dns:NAME:PORT` or `dns+https:NAME:PORT`.
 * @throws UsageError for anything else.
 */
export function parseAddressSource(text: string): AddressSource {
  const dns = /^dns(?:\+(https?))?:(?:\/\/)?([A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  if (dns !== null) {
    const [, scheme, name = "", port] = dns;
    return { kind: "dns", name, port: Number(port), scheme: scheme === "https" ? "https" : "http" };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.search === "" && url.username === "";
  if (!isOrigin) {
    throw new UsageError(
      `${JSON.stringify(text)} is no executor: write http://HOST:PORT, or dns:NAME:PORT for all that a name stands for.`,
    );
  }
  return { kind: "static", origin: url.origin };
}

/** A resolver whose servers do not answer gives up after half a minute; nobody waits here for so long. */
const PATIENCE_MS = 2_000;

/** The addresses of a list of sources. A name that cannot be looked up now keeps those that it had. */
export class Addresses {
  readonly #sources: readonly AddressSource[];
  readonly #resolve: Resolve;
  readonly #patienceMs: number;
  readonly #lastKnown = new Map<string, readonly string[]>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(sources: readonly AddressSource[], resolve: Resolve = resolveAll, patienceMs = PATIENCE_MS) {
    this.#sources = sources;
    this.#resolve = resolve;
    this.#patienceMs = patienceMs;
  }

  /** All of them, each once. */
  async find(): Promise<ExecutorAddress[]> {
    const found = (await Promise.all(this.#sources.map(async (source) => this.#addressesOf(source)))).flat();
    return [...new Map(found.map((address) => [address.origin, address])).values()];
  }

  async #addressesOf(source: AddressSource): Promise<ExecutorAddress[]> {
    if (source.kind === "static") return [{ origin: source.origin }];
    const { name, port, scheme } = source;
    await this.#askBriefly(name);
    return (this.#lastKnown.get(name) ?? []).map((address) => ({
      origin: `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`,
      serverName: name,
    }));
  }

  /** Asks, or waits for the answer that is still out; one that is late counts at the next look. */
  async #askBriefly(name: string): Promise<void> {
    const asking = this.#asking.get(name) ?? this.#ask(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    const answered = new AbortController();
    const waited = pause(this.#patienceMs, undefined, { signal: answered.signal, ref: false }).catch(() => undefined);
    await Promise.race([asking, waited]);
    answered.abort();
  }

  async #ask(name: string): Promise<void> {
    try {
      this.#lastKnown.set(name, await this.#resolve(name));
    } catch (error) {
      // Nobody by that name is an answer: none has started yet, or all have ended.
      if (isNobody(error)) this.#lastKnown.set(name, []);
    }
  }
}

/** As the machine's other programs do: with its hosts file, its search domains and all its name servers. */
async function resolveAll(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

function isNobody(error: unknown): boolean {
  return ["ENOTFOUND", "ENODATA"].includes((error as { code?: string }).code ?? "");
}
