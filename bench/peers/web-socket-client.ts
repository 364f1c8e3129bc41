/** The little of RFC 6455 that the benchmark needs, since Node 20 has no WebSocket: text messages of a peer that is trusted. */
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Socket } from "node:net";

const OPCODE = { continuation: 0x0, text: 0x1, ping: 0x9, pong: 0xa } as const;
const FINAL = 0x80;
const MASKED = 0x80;

/** Where to connect on this machine. */
export interface WebSocketTarget {
  port: number;
  path: string;
  timeoutMs: number;
}

/** A connection; messages wait in order until they are received. */
export class WebSocketClient {
  readonly #socket: Socket;
  readonly #messages: string[] = [];
  #unread: Buffer;
  #parts: Buffer[] = [];
  #wake: () => void = () => undefined;
  #failure: Error | undefined;

  static open({ port, path, timeoutMs }: WebSocketTarget): Promise<WebSocketClient> {
    return new Promise((resolve, reject) => {
      const headers = {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
      };
      const opening = request({ host: "127.0.0.1", port, path, headers, timeout: timeoutMs });
      opening.once("upgrade", (_response, socket: Socket, head: Buffer) => resolve(new WebSocketClient(socket, head)));
      opening.once("response", (response) => reject(new Error(`WebSocket ${path}: ${response.statusCode}`)));
      opening.once("timeout", () => opening.destroy(new Error(`WebSocket ${path}: no answer in time`)));
      opening.once("error", reject);
      opening.end();
    });
  }

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.#unread = head;
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on("data", (data: Buffer) => this.#read(data));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("The WebSocket was closed.")));
    this.#read(Buffer.alloc(0));
  }

  /** Sends a text message. */
  send(text: string): void {
    this.#write(OPCODE.text, Buffer.from(text));
  }

  /** The next text message. */
  async receive(timeoutMs: number): Promise<string> {
    const timer = setTimeout(() => this.#fail(new Error("No WebSocket message in time.")), timeoutMs);
    try {
      for (;;) {
        const message = this.#messages.shift();
        if (message !== undefined) return message;
        if (this.#failure) throw this.#failure;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #read(data: Buffer): void {
    this.#unread = this.#unread.length === 0 ? data : Buffer.concat([this.#unread, data]);
    for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) {
      if (frame.opcode === OPCODE.ping) this.#write(OPCODE.pong, frame.payload);
      if (frame.opcode !== OPCODE.text && frame.opcode !== OPCODE.continuation) continue;
      this.#parts.push(frame.payload);
      if (!frame.isFinal) continue;
      this.#messages.push(Buffer.concat(this.#parts).toString());
      this.#parts = [];
    }
    this.#wake();
  }

  /** A server's frames are not masked. Undefined until the whole of one is there. */
  #takeFrame(): { opcode: number; isFinal: boolean; payload: Buffer } | undefined {
    const unread = this.#unread;
    if (unread.length < 2) return undefined;
    const [first, second] = [unread.readUInt8(0), unread.readUInt8(1)];
    const short = second & 0x7f;
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (unread.length < start) return undefined;
    const size = short === 127 ? Number(unread.readBigUInt64BE(2)) : short === 126 ? unread.readUInt16BE(2) : short;
    if (unread.length < start + size) return undefined;
    this.#unread = unread.subarray(start + size);
    return { opcode: first & 0x0f, isFinal: (first & FINAL) !== 0, payload: unread.subarray(start, start + size) };
  }

  #write(opcode: number, payload: Buffer): void {
    const mask = randomBytes(4);
    const size = Buffer.alloc(payload.length < 126 ? 2 : 4);
    size.writeUInt8(FINAL | opcode, 0);
    size.writeUInt8(MASKED | Math.min(payload.length, 126), 1);
    if (payload.length >= 126) size.writeUInt16BE(payload.length, 2);
    const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    this.#socket.write(Buffer.concat([size, mask, masked]));
  }
}
