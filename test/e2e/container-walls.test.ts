/** What code in a container cannot do: use up the machine, or get out of a container without a network. */
import { lstat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { ExecutionClient } from "../../src/client/index.ts";
import { docker, useContainerImage } from "../helpers/container-image.ts";
import { openContainer } from "../helpers/container-service.ts";

describe("code in a container", () => {
  useContainerImage();

  it("that forks without end stops at the limit, and the server answers", async () => {
    const launched = await openContainer({ container_processes: 128 });
    try {
      const { client } = launched.service;
      await client.start("bomb");
      const bomb = client.executeCode(
        "bomb",
        "import os, time\nwhile True:\n    try:\n        os.fork()\n    except BlockingIOError:\n        print('full', flush=True)\n        time.sleep(60)",
      );
      for await (const event of bomb) if (event.event === "output" && event.data.text.includes("full")) break;
      expect(await client.health()).toMatchObject({ status: "healthy" });
      const processes = (await docker("top", launched.name, "-eo", "pid")).split("\n").length - 1;
      expect(processes).toBeGreaterThan(100);
      expect(processes).toBeLessThanOrEqual(128);
      await client.stop("bomb");
      await client.start("after");
      expect(await client.executeCode("after", "1 + 1")).toMatchObject({ is_success: true, output: 2 });
    } finally {
      await launched.close();
    }
  });

  it("that takes more memory than there is loses its kernel, and the server answers", async () => {
    const launched = await openContainer({ container_memory: "700m" });
    try {
      const { client } = launched.service;
      await client.start("hog");
      const result = await client.executeCode("hog", "hoard = [bytearray(50_000_000) for _ in range(100)]");
      expect(result).toMatchObject({
        is_success: false,
        state_kept: false,
        reason: "out_of_memory",
        error: expect.stringContaining("memory ran out on the machine, or in its container"),
      });
      expect(await client.executeCode("hog", "1 + 1")).toMatchObject({ is_success: true, output: 2 });
    } finally {
      await launched.close();
    }
  });

  it("that takes all memory by many small processes loses them, and the server stays", async () => {
    const launched = await openContainer({ container_memory: "700m" });
    try {
      const { client } = launched.service;
      await client.start("swarm");
      const code =
        "import os, time\nfor _ in range(100):\n    if os.fork() == 0:\n        hoard = bytearray(os.urandom(20_000_000))\n        time.sleep(30)";
      await client.executeCode("swarm", code, { executionTimeoutMs: 20_000 });
      expect(await client.health()).toMatchObject({ status: "healthy" });
    } finally {
      await launched.close();
    }
  });

  // Behind its wall code does not come to the container's /tmp.
  it.each([
    ["/tmp", "none"],
    ["/dev/shm", "auto"],
  ])("that fills %s, which is in memory, finds it full before the server has none left", async (folder, sandbox) => {
    const launched = await openContainer({ container_memory: "700m" }, { ...process.env, TASKWEAVER_SERVER_SANDBOX: sandbox });
    try {
      const { client } = launched.service;
      await client.start("filler");
      const code = `with open('${folder}/filler', 'wb') as file:\n    for _ in range(100):\n        file.write(bytes(50_000_000))`;
      expect(await client.executeCode("filler", code)).toMatchObject({ error: expect.stringContaining("No space left on device") });
      expect(await client.health()).toMatchObject({ status: "healthy" });
    } finally {
      await launched.close();
    }
  });

  describe("without a network", () => {
    it("has no way out, and streams all the same", async () => {
      const launched = await openContainer({ container_network: "none" });
      try {
        const { client } = launched.service;
        await client.start("alone");
        expect(await wayOut(client)).toEqual(["lo", "no name", "no route", "no gateway"]);
        const output: string[] = [];
        const code = "import time\nfor number in range(3):\n    print(number, flush=True)\n    input()";
        const streamed = await client.executeCode("alone", code, {
          onStdout: (text) => void output.push(text),
          onInputRequest: () => "go on",
        });
        expect(streamed).toMatchObject({ is_success: true });
        expect(output.join("")).toContain("0\n1\n2\n");
      } finally {
        await launched.close();
      }
    });

    it("is spoken to over a socket that belongs to the user alone, and publishes no port", async () => {
      const launched = await openContainer({ container_network: "none" });
      try {
        const socket = await lstat(launched.settings.socketPath!);
        expect(socket.isSocket()).toBe(true);
        expect(socket.mode & 0o777).toBe(0o600);
        expect(socket.uid).toBe(process.getuid!());
        expect(await docker("port", launched.name)).toBe("");
      } finally {
        await launched.close();
      }
    });

    it("is found where the path of its folder is longer than a socket's may be", async () => {
      const launched = await openContainer({ container_network: "none", work_dir: `/tmp/taskweaver-${"long-".repeat(25)}${process.pid}` });
      try {
        await expect(launched.service.client.listSessions()).resolves.toEqual([]);
      } finally {
        await launched.close();
      }
    });
  });

  it("with a network has a way out", async () => {
    const launched = await openContainer();
    try {
      await launched.service.client.start("open");
      expect(await wayOut(launched.service.client, "open")).toContain("gateway answered");
    } finally {
      await launched.close();
    }
  });
});

/** What code finds when it tries to leave: its network devices, a name, an address, and the machine that runs the engine. */
async function wayOut(client: ExecutionClient, sessionId = "alone"): Promise<string[]> {
  const code = `
import os, socket
print(*sorted(os.listdir("/sys/class/net")), sep="+")
try:
    socket.getaddrinfo("example.org", 80)
    print("name resolved")
except OSError:
    print("no name")
def connect(address, port):
    socket.create_connection((address, port), 2).close()
try:
    connect("192.0.2.1", 80)
    print("route taken")
except TimeoutError:
    print("route taken")
except OSError:
    print("no route")
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("192.0.2.1", 80))
        own = datagrams.getsockname()[0]
    connect(own.rpartition(".")[0] + ".1", 1)
    print("gateway answered")
except ConnectionRefusedError:
    print("gateway answered")
except OSError:
    print("no gateway")
`;
  const { stdout, error } = await client.executeCode(sessionId, code);
  expect(error).toBeNull();
  return stdout.join("").trim().split("\n");
}
