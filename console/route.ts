/** Which page is shown, kept in step with the address. */
import { signal } from "@preact/signals";
import { readRoute, type Route } from "./address.ts";

/** The page that is shown. */
export const route = signal<Route>(readRoute(location.hash));

addEventListener("hashchange", () => {
  route.value = readRoute(location.hash);
});
