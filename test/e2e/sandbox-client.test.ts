/** What the client promises holds with walls around the kernels, by each wall. */
import { describe } from "vitest";
import { askMachine } from "../../src/provision/sandbox/sandbox.ts";
import { testPython } from "../helpers/python.ts";
import { clientSuite } from "./client-suite.ts";
import { startTestServer } from "./test-server.ts";

const ability = await askMachine(testPython());
const canRaise = { namespaces: ability.level === "namespaces", landlock: ability.landlock >= 6 };

describe.each(["namespaces", "landlock"] as const)("a server whose kernels have walls of %s", (level) => {
  describe.skipIf(!canRaise[level])("keeps what the client promises", () => {
    const settings = { sandbox: "required", kernelStart: "fork", kernelPool: 2 } as const;
    clientSuite(() => startTestServer(settings, { sandboxAbility: async () => ({ ...ability, level }) }));
  });
});
