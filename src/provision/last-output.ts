/**
 * What a Python kernel had written when it died: messages that it had sent, which may not have arrived, and text that it had not sent yet. It keeps both
 * in files beside its sockets, see `python/taskweaver/kernel/waiting_text.py` and `sent_messages.py`. What was written to file descriptors 1 and 2 and
 * not read yet is in pipes, which `output-pipes.ts` holds open.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { ConnectionInfo } from "../kernel/connection.ts";
import type { LastOutput, OutputStreamName, UnsentText } from "../kernel/last-output.ts";

/** The ends of the files' names; the address of the kernel comes before. */
export const LAST_OUTPUT_FILES = ["text", "sent0", "sent1"] as const;

/** The code of the session could have made them longer. */
const MOST_BYTES = 128 * 1024 * 1024;

const TEXT_MARK = "TWwaits1";
const OWNER_BEGIN = 16;
const TEXT_BEGIN = 128;
const TEXT_END = 65_536;
const RAW_BEGIN = TEXT_END + 8;
const RECORD_MARK = 0x31535754;
const RECORD_HEAD_BYTES = 32;

/** The capital letters are of code that has started children: what those wrote comes before what waits. */
const STREAMS: Readonly<Record<string, { name: OutputStreamName; isAfterRaw: boolean }>> = {
  o: { name: "stdout", isAfterRaw: false },
  e: { name: "stderr", isAfterRaw: false },
  O: { name: "stdout", isAfterRaw: true },
  E: { name: "stderr", isAfterRaw: true },
};

/** What was found in the pipes. */
export type UnreadOutput = Record<OutputStreamName, Buffer>;

interface SentRecord {
  number: number;
  round: number;
  textEnd: number;
  rawNumber: number;
  lostBefore: number;
  frames: Uint8Array[];
}

/** Reads what a dead kernel has left; undefined where it has left nothing, as one of another language. Nothing in it is believed to have the right shape. */
export async function readLastOutput(
  { transport, ip }: Pick<ConnectionInfo, "transport" | "ip">,
  unread: UnreadOutput,
): Promise<LastOutput | undefined> {
  if (transport !== "ipc") return undefined;
  const [text, ...sent] = await Promise.all(LAST_OUTPUT_FILES.map((name) => readBounded(`${ip}-${name}`)));
  if (text === undefined || text.toString("latin1", 0, 8) !== TEXT_MARK || text.length < RAW_BEGIN) return undefined;
  const records = sent.flatMap((file) => (file === undefined ? [] : recordsOf(file))).toSorted((one, other) => one.number - other.number);
  const round = text.readUInt32LE(8);
  const ends = records.map((record) => (record.round === round ? record.textEnd : 0));
  const sentEnd = ends.reduce((most, end) => Math.max(most, end), Math.max(text.readUInt32LE(12), TEXT_BEGIN));
  const rawNumber = records.reduce((most, record) => Math.max(most, record.rawNumber), 0);
  const waiting = waitingOf(text, sentEnd);
  const raw = rawOf(text, rawNumber, unread);
  const isAfterRaw = waiting.some((one) => one.isAfterRaw);
  return { sent: records, unsent: isAfterRaw ? [...raw, ...waiting] : [...waiting, ...raw] };
}

/** Whether a kernel of this address has left anything. */
export async function hasLastOutput(address: string): Promise<boolean> {
  const nothing = Buffer.alloc(0);
  const last = await readLastOutput({ transport: "ipc", ip: address }, { stdout: nothing, stderr: nothing });
  return last !== undefined && last.sent.length + last.unsent.length > 0;
}

function recordsOf(file: Buffer): SentRecord[] {
  const records: SentRecord[] = [];
  for (let offset = 0; offset + RECORD_HEAD_BYTES <= file.length;) {
    const [mark = 0, size = 0, number = 0, round = 0, textEnd = 0, rawNumber = 0, lostBefore = 0, count = 0] = numbersAt(file, offset, 8);
    const begin = offset + RECORD_HEAD_BYTES;
    // The last one may have been cut by the kernel's death.
    if (mark !== RECORD_MARK || begin + size > file.length || count * 4 > size) break;
    const frames: Uint8Array[] = [];
    let at = begin + 4 * count;
    for (const length of numbersAt(file, begin, count)) {
      frames.push(file.subarray(at, at + length));
      at += length;
    }
    if (at !== begin + size) break;
    records.push({ number, round, textEnd, rawNumber, lostBefore, frames });
    offset = at;
  }
  return records;
}

function numbersAt(file: Buffer, offset: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => file.readUInt32LE(offset + 4 * index));
}

function waitingOf(file: Buffer, sentEnd: number): (UnsentText & { isAfterRaw: boolean })[] {
  const end = TEXT_BEGIN + withoutZeros(file.subarray(TEXT_BEGIN, TEXT_END)).length;
  const texts: (UnsentText & { isAfterRaw: boolean })[] = [];
  for (let at = TEXT_BEGIN; at < end;) {
    const nameEnd = file.indexOf(0xff, at + 1);
    if (file[at] !== 0xff || nameEnd < 0 || nameEnd >= end) break;
    const next = file.indexOf(0xff, nameEnd + 1);
    const textEnd = next < 0 || next > end ? end : next;
    const stream = STREAMS[file.toString("latin1", at + 1, at + 2)];
    const messageId = file.toString("utf8", at + 2, nameEnd);
    const from = Math.max(nameEnd + 1, sentEnd);
    if (stream !== undefined && from < textEnd) texts.push({ ...stream, messageId, text: decode(file.subarray(from, textEnd)) });
    at = textEnd;
  }
  return texts;
}

/** What the kernel had just read from one of the pipes comes before what is still in it. */
function rawOf(file: Buffer, sentNumber: number, unread: UnreadOutput): UnsentText[] {
  const messageId = withoutZeros(file.subarray(OWNER_BEGIN, TEXT_BEGIN)).toString("utf8");
  const number = file.readUInt32LE(TEXT_END);
  const readName = file.readUInt32LE(TEXT_END + 4) === 2 ? "stderr" : "stdout";
  const read = number > sentNumber ? withoutZeros(file.subarray(RAW_BEGIN)) : Buffer.alloc(0);
  return (["stdout", "stderr"] as const).flatMap((name) => {
    const bytes = name === readName ? Buffer.concat([read, unread[name]]) : unread[name];
    return bytes.length === 0 ? [] : [{ messageId, name, text: bytes.toString("utf8") }];
  });
}

function withoutZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** A character that was cut by the kernel's death was never written. */
function decode(bytes: Buffer): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true });
}

async function readBounded(path: string): Promise<Buffer | undefined> {
  // The code of the session could have put a link in its place.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const found = await handle.stat();
    if (!found.isFile()) return undefined;
    const size = Math.min(found.size, MOST_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
