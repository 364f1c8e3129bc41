/** A client of Jupyter's own door that speaks its messages over a WebSocket, without any library of Jupyter's. */
import { once } from "node:events";
import WebSocket from "ws";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import { decodeFrame, encodeFrame } from "../../src/http/jupyter/wire.ts";
import type { GuestMessage } from "../../src/session/guest-clients.ts";

/** One of the connections of one client. */
export class JupyterClient {
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

  /** Connects to the kernel of a session. */
  static async open(url: string, sessionId: string): Promise<JupyterClient> {
    const address = `${url.replace(/^http/, "ws")}/api/kernels/${kernelIdOf(sessionId)}/channels?session_id=lab`;
    const client = new JupyterClient(new WebSocket(address));
    await once(client.socket, "open");
    return client;
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

  /** The first message that fits, of all that have come and will come. */
  async until(matches: (message: GuestMessage) => boolean): Promise<GuestMessage> {
    for (;;) {
      const found = this.#messages.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The first message of a type that answers a request. */
  answer(id: string, type: string): Promise<GuestMessage> {
    return this.until(({ header, parent_header }) => parent_header.msg_id === id && header.msg_type === type);
  }
}
