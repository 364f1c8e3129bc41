/** The client's promises on a server in a container: on a published port, and without a network over a socket. */
import { describe } from "vitest";
import { knownContainerKey } from "../../src/launcher/container-key.ts";
import { unixFetch } from "../../src/launcher/index.ts";
import { missingForContainers, useContainerImage } from "../helpers/container-image.ts";
import { openContainer } from "../helpers/container-service.ts";
import { clientSuite, type ServerFixture } from "./client-suite.ts";

describe("a server in a container, on a port", () => {
  useContainerImage();
  clientSuite(() => launch({}));
});

describe("a server in a container without a network", () => {
  useContainerImage();
  clientSuite(() => launch({ container_network: "none" }));
});

async function launch(flags: { container_network?: string }): Promise<ServerFixture> {
  if (missingForContainers !== undefined) return { url: "http://localhost", apiKey: null, [Symbol.asyncDispose]: async () => undefined };
  const { settings, close } = await openContainer(flags);
  const { socketPath } = settings;
  return {
    url: settings.url,
    apiKey: await knownContainerKey(settings),
    ...(socketPath === null ? {} : { socketPath, fetch: unixFetch(socketPath) }),
    [Symbol.asyncDispose]: close,
  };
}
