/** Where executors are: the list that was given, with names that DNS answers for looked up. */
import { lookup } from "node:dns/promises";
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

/** The addresses of a list of sources. A name that cannot be looked up now keeps those that it had. */
export class Addresses {
  readonly #sources: readonly AddressSource[];
  readonly #resolve: Resolve;
  readonly #lastKnown = new Map<string, readonly string[]>();

  constructor(sources: readonly AddressSource[], resolve: Resolve = resolveAll) {
    this.#sources = sources;
    this.#resolve = resolve;
  }

  /** All of them, each once. */
  async find(): Promise<ExecutorAddress[]> {
    const found = (await Promise.all(this.#sources.map(async (source) => this.#addressesOf(source)))).flat();
    return [...new Map(found.map((address) => [address.origin, address])).values()];
  }

  async #addressesOf(source: AddressSource): Promise<ExecutorAddress[]> {
    if (source.kind === "static") return [{ origin: source.origin }];
    const { name, port, scheme } = source;
    const addresses = await this.#resolve(name).catch((error: unknown) => {
      // Nobody by that name is an answer: none has started yet, or all have ended.
      return isNobody(error) ? [] : (this.#lastKnown.get(name) ?? []);
    });
    this.#lastKnown.set(name, addresses);
    return addresses.map((address) => ({
      origin: `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`,
      serverName: name,
    }));
  }
}

async function resolveAll(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

function isNobody(error: unknown): boolean {
  return ["ENOTFOUND", "ENODATA"].includes((error as { code?: string }).code ?? "");
}
