/** Inside a container nobody is local, however the server got there and whatever its variables say. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { docker, IMAGE, useContainerImage } from "../helpers/container-image.ts";

const PORT = "8321";
const CONTRARY = variables({ TASKWEAVER_SERVER_REQUIRE_KEY: "false", TASKWEAVER_SERVER_HOST: "localhost" });
/** No kernel is needed to be asked for a key. */
const QUICK = variables({ TASKWEAVER_SERVER_KERNEL_START: "spawn", TASKWEAVER_SERVER_KERNEL_POOL: "0" });
const LISTENING = { timeout: 60_000, interval: 100 };

describe("a server in a container", () => {
  useContainerImage();

  it("asks its own programs for the key, started by the entrypoint", async () => {
    await inContainer([...CONTRARY, IMAGE, "server", "--port", PORT], (id) => expectKeyAsked(id));
  });

  it("asks for the key when it is run past the entrypoint, in the machine's namespaces", async () => {
    const shared = ["--pid", "host", "--ipc", "host", "--uts", "host", "--entrypoint", "taskweaver"];
    await inContainer([...CONTRARY, ...shared, IMAGE, "server", "--port", PORT, "--work-dir", "/tmp/work"], (id) => expectKeyAsked(id));
  });

  it("asks for the key when it is started in a container that runs something else; clients in there find it", async () => {
    await inContainer([...CONTRARY, "--user", "1000:1000", IMAGE, "sleep", "600"], async (id) => {
      const inside = (...command: string[]) => docker("exec", "--workdir", "/tmp", id, ...command);
      await docker("exec", "--detach", id, "taskweaver", "server", "--port", PORT, "--work-dir", "/tmp/work");
      await expectKeyAsked(id);
      expect(await inside("taskweaver", "run", "-c", "6 * 7")).toBe("42");
      const started = await inside("sh", "-c", "echo '6 * 7' | taskweaver --port 8322 --work-dir /tmp/other");
      expect(started).toBe("Out[1]: 42");
    });
  });

  it.each([
    ["as engines run it", []],
    ["that shares the machine's processes and names", ["--pid", "host", "--ipc", "host", "--uts", "host"]],
  ])("asks for the key in an image that is not ours, %s", async (_how, args) => {
    // Our image stands in for one that has Python and Node; the program lies where nothing marks it.
    const mounts = ["dist", "node_modules", "python", "package.json"].flatMap((name) => [
      "--volume",
      `${join(PACKAGE_ROOT, name)}:/elsewhere/${name}:ro`,
    ]);
    const command = ["/elsewhere/dist/cli/main.js", "server", "--port", PORT, "--work-dir", "/tmp/work"];
    await inContainer([...CONTRARY, ...args, ...mounts, "--entrypoint", "node", IMAGE, ...command], (id) => expectKeyAsked(id));
  });
});

/** Runs a container for as long as the test needs it. */
async function inContainer(args: string[], body: (id: string) => Promise<void>): Promise<void> {
  const id = await docker("run", "--detach", "--init", ...QUICK, ...args);
  try {
    await body(id);
  } finally {
    await docker("rm", "--force", "--volumes", id);
  }
}

/** Asks as a program in the container does, by loopback. */
async function expectKeyAsked(id: string): Promise<void> {
  const program = `fetch("http://localhost:${PORT}/api/v1/sessions").then((answer) => console.log(answer.status), () => console.log("nobody"))`;
  await expect.poll(() => docker("exec", id, "node", "-e", program), LISTENING).not.toBe("nobody");
  expect(await docker("exec", id, "node", "-e", program)).toBe("401");
}

function variables(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
}
