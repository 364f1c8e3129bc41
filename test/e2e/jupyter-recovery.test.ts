/** A Jupyter client whose server was killed: the next server has the kernel, and the client's code has run on. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import WebSocket from "ws";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import { decodeFrame, encodeFrame } from "../../src/http/jupyter/wire.ts";
import type { GuestMessage } from "../../src/session/guest-clients.ts";
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
    const first = await Connection.open(port);
    const begun = first.until(({ content }) => String(content["text"]).includes("1\n"));
    first.execute("m1", COUNT_ON_A_SIGN);
    await begun;
    await server.end("SIGKILL");
    server = await start();
    const second = await Connection.open(port);
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

/** One of the connections of one client. */
class Connection {
  readonly socket: WebSocket;
  readonly #messages: GuestMessage[] = [];
  readonly #waiting: (() => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      this.#messages.push(decodeFrame({ data, isBinary }, socket.protocol));
      for (const look of this.#waiting.splice(0)) look();
    });
  }

  static async open(port: number): Promise<Connection> {
    const connection = new Connection(new WebSocket(`ws://localhost:${port}/api/kernels/${kernelIdOf("kept")}/channels?session_id=lab`));
    await once(connection.socket, "open");
    return connection;
  }

  execute(id: string, code: string): void {
    const header = { msg_id: id, msg_type: "execute_request", session: "lab", username: "", date: "", version: "5.3" };
    const content = { code, silent: false, store_history: true, allow_stdin: false, stop_on_error: true, user_expressions: {} };
    this.socket.send(encodeFrame({ channel: "shell", header, parent_header: {}, metadata: {}, content, buffers: [] }, "").data);
  }

  textOf(id: string): string {
    const ofIt = this.#messages.filter(({ header, parent_header }) => parent_header.msg_id === id && header.msg_type === "stream");
    return ofIt.map(({ content }) => String(content["text"])).join("");
  }

  async until(matches: (message: GuestMessage) => boolean): Promise<GuestMessage> {
    for (;;) {
      const found = this.#messages.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
