/** A name server on loopback whose answers a test changes, and programs that ask no other. Takes root, on Linux. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../src/paths.ts";

/** What is said of a name, by the kind of address: all there are, or that something is wrong. */
export type NameAnswer = string[] | "no such name" | "server failure" | "nothing";
export interface NameAnswers {
  A: NameAnswer;
  AAAA: NameAnswer;
}

/** Why there can be none here; undefined where there can. */
export const whyNoNameServer =
  process.platform === "linux" && process.getuid?.() === 0 ? undefined : "which name server programs ask, root alone decides, on Linux";

/** Resolvers know no other port. */
const PORT = 53;
const HEADER_BYTES = 12;
const TYPES: Record<number, keyof NameAnswers> = { 1: "A", 28: "AAAA" };
const FAILURES: Partial<Record<string, number>> = { "server failure": 2, "no such name": 3 };
/** Of an answer: far longer than any test. */
const TTL_SECONDS = 3_600;

/** Answers alike for every name. @see RFC 1035, 4 */
export class NameServer implements AsyncDisposable {
  answers: NameAnswers = { A: [], AAAA: [] };
  readonly #socket: Socket;
  readonly #folder: string;

  private constructor(socket: Socket, folder: string) {
    this.#socket = socket;
    this.#folder = folder;
    socket.on("message", (query, { port, address }) => {
      const answer = this.#answer(query);
      if (answer !== undefined) socket.send(answer, port, address);
    });
  }

  static async start(): Promise<NameServer> {
    const folder = await mkdtemp(join(tmpdir(), "taskweaver-names-"));
    // One of its own for each process of tests; loopback has sixteen million.
    const address = `127.53.${(process.pid >> 8) & 255}.${process.pid & 255}`;
    const socket = createSocket("udp4");
    socket.bind(PORT, address);
    await once(socket, "listening");
    // Whoever waits for an answer in vain does so once, for a second.
    await writeFile(join(folder, "resolv.conf"), `nameserver ${address}\nsearch .\noptions timeout:1 attempts:1\n`);
    return new NameServer(socket, folder);
  }

  /** The command line of a Node program that asks this server alone. */
  command(...args: string[]): [program: string, ...args: string[]] {
    const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
    return ["unshare", "--mount", "sh", "-c", script, join(this.#folder, "resolv.conf"), process.execPath, ...args];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #answer(query: Buffer): Buffer | undefined {
    const nameEnd = query.indexOf(0, HEADER_BYTES) + 1;
    const type = TYPES[query.readUInt16BE(nameEnd)];
    const answer = type === undefined ? [] : this.answers[type];
    if (answer === "nothing") return undefined;
    const addresses = typeof answer === "string" ? [] : answer;
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | (FAILURES[String(answer)] ?? 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    return Buffer.concat([header, query.subarray(HEADER_BYTES, nameEnd + 4), ...addresses.map(record)]);
  }
}

/** A program for {@link NameServer.command} that prints what a name stands for, each time that it reads a line. */
export function lookUpProgram(source: string): string[] {
  const script = `
    import { createInterface } from "node:readline";
    import { Addresses, parseAddressSource } from "${join(PACKAGE_ROOT, "dist/gateway/addresses.js")}";
    const addresses = new Addresses([parseAddressSource("${source}")]);
    for await (const _line of createInterface({ input: process.stdin })) {
      console.log(JSON.stringify((await addresses.find()).map(({ origin }) => origin)));
    }`;
  return ["--input-type=module", "--eval", script];
}

function record(address: string): Buffer {
  const data = address.includes(":") ? ipv6(address) : Buffer.from(address.split(".").map(Number));
  const head = Buffer.alloc(12);
  // The name is the question's.
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE(data.length === 4 ? 1 : 28, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6(address: string): Buffer {
  const [left = [], right = []] = address.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex");
}
