/** What stands before several gateways in tests: each connection goes to the next that takes it. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A gateway's address. */
export interface Target {
  host: string;
  port: number;
}

/** A machine that is gone answers nothing at all. */
const CONNECT_TIMEOUT_MS = 1_000;

/** Listens on loopback. */
export class Balancer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(targets: Target[]): Promise<Balancer> {
    const sockets = new Set<Socket>();
    let turn = 0;
    const server = createServer((incoming) => {
      sockets.add(incoming);
      incoming.once("close", () => sockets.delete(incoming)).on("error", () => incoming.destroy());
      turn += 1;
      const attempt = (left: Target[]): void => {
        const [target, ...others] = left;
        if (target === undefined) return void incoming.destroy();
        const outgoing = connect({ ...target, timeout: CONNECT_TIMEOUT_MS });
        let isConnected = false;
        outgoing.once("connect", () => {
          isConnected = true;
          outgoing.setTimeout(0);
          incoming.pipe(outgoing);
          outgoing.pipe(incoming);
        });
        outgoing.once("timeout", () => outgoing.destroy(new Error("it takes no connections")));
        outgoing.on("error", () => (isConnected ? incoming.destroy() : attempt(others)));
        outgoing.once("close", () => isConnected && incoming.destroy());
        incoming.once("close", () => outgoing.destroy());
      };
      attempt(targets.map((_, index) => targets[(turn + index) % targets.length]!));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Balancer(server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server.close(), "close");
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
