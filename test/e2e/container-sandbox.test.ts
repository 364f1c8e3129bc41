/** Kernels in a container are walled off from each other and from the server, where the container itself allows no namespaces. */
import { describe, expect, it } from "vitest";
import type { ExecutionClient } from "../../src/client/index.ts";
import { knownContainerKey } from "../../src/launcher/container-key.ts";
import { docker, useContainerImage } from "../helpers/container-image.ts";
import { openContainer } from "../helpers/container-service.ts";
import { HUNT, SOCKETS } from "./sandbox-hunts.ts";

const REFUSED = expect.stringMatching(/^(PermissionError|FileNotFoundError|ProcessLookupError|OSError)$/) as string;

describe("sessions in a container", () => {
  useContainerImage();

  it("by default have a wall between them, and work as without", async () => {
    const launched = await openContainer();
    try {
      const { client } = launched.service;
      const log = await docker("logs", launched.name);
      expect(log).toMatch(/"level":"(landlock|namespaces)".*"kernels are walled off"/);
      const key = (await knownContainerKey(launched.settings)) ?? "";
      expect(key.length).toBeGreaterThan(20);
      await Promise.all([client.start("mine"), client.start("other")]);
      await client.executeCode("other", "x = 'alive'; open('secret.txt', 'w').write('secret')");

      const hunt = HUNT.replaceAll("URL", "http://127.0.0.1:8000").replaceAll("WORK", "/app/workspace");
      // In two pieces, so that the code that looks for it is not what it finds.
      const asked = hunt.replace("'the-servers-' + 'key'", `${JSON.stringify(key.slice(0, 9))} + ${JSON.stringify(key.slice(9))}`);
      expect((await client.executeCode("mine", asked)).output).toEqual([[], 200, 401]);
      expect((await client.executeCode("mine", SOCKETS)).output).toEqual([]);
      for (const expression of [
        "open('/app/workspace/sessions/other/cwd/secret.txt').read()",
        "open('../../other/cwd/secret.txt', 'a')",
        "os.listdir('/app/workspace/sessions')",
        "open('/proc/1/environ').read()",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "os.kill(1, 0)",
        "os.kill(os.getppid(), 0)",
        "open('/app/workspace/sessions/mine/ces/session.json').read()",
        "open('/app/python/taskweaver/kernel/kernel.py', 'a')",
      ])
        expect([expression, await attempt(client, expression)]).toEqual([expression, REFUSED]);
      expect((await client.executeCode("other", "x")).output).toBe("alive");

      const drawing =
        "import matplotlib.pyplot as plt, tempfile; plt.plot([1]); plt.savefig('x.png'); print(tempfile.NamedTemporaryFile().write(b'abc'))";
      const code = `import os, subprocess, sys\nchild = subprocess.run([sys.executable, "-c", ${JSON.stringify(drawing)}], capture_output=True, text=True)\nplt.plot([1, 2]); plt.show()\n[child.stdout, child.stderr, os.path.getsize('x.png') > 0, os.path.expanduser('~')]`;
      expect(await client.executeCode("mine", code)).toMatchObject({
        error: null,
        output: ["3\n", "", true, "/app/workspace/sessions/mine/tmp"],
        artifact: [{ type: "image" }],
      });
    } finally {
      await launched.close();
    }
  });

  it("have none where that is asked for, and the log says so by saying nothing of walls", async () => {
    const launched = await openContainer({}, { ...process.env, TASKWEAVER_SERVER_SANDBOX: "none" });
    try {
      expect(await docker("logs", launched.name)).not.toContain("walled off");
      await launched.service.client.start("mine");
      expect(await attempt(launched.service.client, "len(os.listdir('/app/workspace/sessions'))")).toBe(1);
    } finally {
      await launched.close();
    }
  });
});

/** Runs an expression; its value, or the name of the exception. */
async function attempt(client: ExecutionClient, expression: string): Promise<unknown> {
  const code = `import os\ntry:\n    seen = ${expression}\nexcept BaseException as error:\n    seen = type(error).__name__\nseen`;
  return (await client.executeCode("mine", code)).output;
}
