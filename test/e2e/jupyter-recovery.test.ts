/** A Jupyter client whose server was killed: the next server has the kernel, and the client's code has run on. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { JupyterClient } from "../helpers/jupyter-client.ts";
import { freePort, startServerProcess } from "../helpers/server-process.ts";

/** Counts to 1, waits for a file, then counts on to 19. */
const COUNT_ON_A_SIGN = `
import os, time
print(0, flush=True)
print(1, flush=True)
deadline = time.monotonic() + 100
while not os.path.exists("sign"):
    assert time.monotonic() < deadline, "no sign came"
    time.sleep(0.01)
for i in range(2, 20):
    print(i, flush=True)
x = "ran on"
`;

it("a client that comes back hears the rest of its code and its reply; needs no key where it is the server's own user", async () => {
  const workDir = await mkdtemp(join(tmpdir(), "taskweaver-jupyter-"));
  const port = await freePort();
  const start = () => startServerProcess(workDir, port, "--orphan-timeout", "60");
  let server = await start();
  try {
    await server.client.start("kept");
    const first = await JupyterClient.open(`http://localhost:${port}`, "kept");
    const begun = first.until(({ content }) => String(content["text"]).includes("1\n"));
    first.execute("m1", COUNT_ON_A_SIGN);
    await begun;
    await server.end("SIGKILL");
    server = await start();
    const second = await JupyterClient.open(`http://localhost:${port}`, "kept");
    // However long the server took to come back, the code has waited until its client listens again.
    await server.client.uploadFile("kept", "sign", "");
    const reply = await second.until(({ header, parent_header }) => header.msg_type === "execute_reply" && parent_header.msg_id === "m1");
    expect(reply).toMatchObject({ channel: "shell", content: { status: "ok" } });
    // Output and replies come on sockets of their own: only this one says that all of the output is here.
    await second.until(({ content, parent_header }) => content["execution_state"] === "idle" && parent_header.msg_id === "m1");
    expect(second.textOf("m1")).toMatch(/19\n$/);
    const [execution] = await server.client.listExecutions("kept");
    const { result } = await server.client.getExecution("kept", execution?.execution_id ?? "");
    expect(result).toMatchObject({ reason: "completed", stdout: expect.any(Array), output: "ran on" });
    expect(result?.stdout.join("")).toBe(Array.from({ length: 20 }, (_, index) => `${index}\n`).join(""));
    const shown = second.until(({ header, parent_header }) => header.msg_type === "execute_result" && parent_header.msg_id === "m2");
    second.execute("m2", "x");
    expect((await shown).content["data"]).toMatchObject({ "text/plain": "'ran on'" });
    second.socket.close();
  } finally {
    // It ends the kernels, too.
    await server.end("SIGTERM");
    await rm(workDir, { recursive: true, force: true });
  }
});
