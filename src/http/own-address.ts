/** How a part of a server calls the server that it is part of: by its own door, like every other client. */
import { Agent, fetch as undiciFetch } from "undici";

/** Where, and with what. */
export interface OwnAddress {
  url: string;
  /** In place of the usual one. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** @param url What the server tells its users, e.g. `https://0.0.0.0:8000`. */
export function ownAddress(url: string): OwnAddress {
  const address = new URL(url);
  // Nobody can be called at the address that means all of them.
  if (address.hostname === "0.0.0.0" || address.hostname === "localhost") address.hostname = "127.0.0.1";
  if (address.hostname === "[::]") address.hostname = "[::1]";
  return address.protocol === "https:" ? { url: address.origin, fetch: unnamedFetch() } : { url: address.origin };
}

/** The certificate is made out to the name that others use; at the address that this very process listens on nobody else can answer. */
function unnamedFetch(): NonNullable<OwnAddress["fetch"]> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false }, headersTimeout: 0, bodyTimeout: 0 });
  return async (url, init) => (await undiciFetch(url, { ...init, dispatcher } as Parameters<typeof undiciFetch>[1])) as unknown as Response;
}
