/** Addresses of the console's pages: the part behind `#`. */

/** The list of sessions, or the page of one. */
export type Route = { page: "sessions" } | { page: "session"; sessionId: string };

/** Reads the part of an address behind `#`; whatever it is not leads to the list. */
export function readRoute(hash: string): Route {
  const [, sessionId] = /^#\/sessions\/([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(hash) ?? [];
  return sessionId === undefined ? { page: "sessions" } : { page: "session", sessionId };
}

/** The address of a session's page. */
export function addressOf(sessionId: string): string {
  return `#/sessions/${sessionId}`;
}
