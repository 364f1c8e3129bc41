/** Addresses of the console's pages. */
import { expect, test } from "vitest";
import { addressOf, readRoute } from "../../../console/address.ts";

test("a session's address leads to its page", () => {
  expect(readRoute(addressOf("my-session.1_a"))).toEqual({ page: "session", sessionId: "my-session.1_a" });
});

test.each(["", "#/", "#/sessions/", "#/sessions/..", "#/sessions/a/b", "#/sessions/%2e", "#nothing"])("%s leads to the list", (hash) => {
  expect(readRoute(hash)).toEqual({ page: "sessions" });
});
