/** Which page is shown, from the part of the address behind `#`. */
import { signal } from "@preact/signals";

/** The list of sessions, or the page of one. */
export type Route = { page: "sessions" } | { page: "session"; sessionId: string };

/** The page that is shown. */
export const route = signal<Route>(readRoute(location.hash));

addEventListener("hashchange", () => {
  route.value = readRoute(location.hash);
});

/** Reads the part of an address behind `#`. */
export function readRoute(hash: string): Route {
  const [, sessionId] = /^#\/sessions\/([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(hash) ?? [];
  return sessionId === undefined ? { page: "sessions" } : { page: "session", sessionId };
}

/** The address of a session's page. */
export function addressOf(sessionId: string): string {
  return `#/sessions/${sessionId}`;
}
