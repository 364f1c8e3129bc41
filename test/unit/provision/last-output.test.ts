/** What is read of a dead kernel's files, also where code of the session has put something else into them. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { createIpcConnection, type ConnectionInfo } from "../../../src/kernel/connection.ts";
import { readLastOutput } from "../../../src/provision/last-output.ts";
import { OutputPipes } from "../../../src/provision/output-pipes.ts";

const NOTHING = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

let folder: string;
let connection: ConnectionInfo;
let address: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskweaver-last-"));
  connection = createIpcConnection(folder, "k1");
  address = connection.ip;
  return () => rm(folder, { recursive: true, force: true });
});

/** The file of waiting text: round, end of what is sent, owner of the pipes, text, and what was read of a pipe. */
function textFile({ round = 1, end = 0, owner = "", text = "", rawNumber = 0, stream = 1, raw = "" }): Buffer {
  const file = Buffer.alloc(65_536 + 32_768);
  file.write("TWwaits1", 0, "latin1");
  file.writeUInt32LE(round, 8);
  file.writeUInt32LE(end, 12);
  file.write(owner, 16);
  file.write(text, 128, "latin1");
  file.writeUInt32LE(rawNumber, 65_536);
  file.writeUInt32LE(stream, 65_540);
  file.write(raw, 65_544);
  return file;
}

function record({ number = 0, round = 0, textEnd = 0, rawNumber = 0, lostBefore = 0, frames = ["frame"] }): Buffer {
  const sizes = frames.map((frame) => Buffer.byteLength(frame));
  const bytes = sizes.reduce((sum, size) => sum + size, 4 * sizes.length);
  const numbers = [0x31535754, bytes, number, round, textEnd, rawNumber, lostBefore, sizes.length, ...sizes];
  return Buffer.concat([Buffer.from(Uint32Array.from(numbers).buffer), ...frames.map((frame) => Buffer.from(frame))]);
}

describe("text that waited", () => {
  test("is told by stream and request, from where it was not sent", async () => {
    const text = "\u00ffor1\u00ffsent\u00ffer1\u00ffnot\u00ffor2\u00ffyet\0!";
    await writeFile(`${address}-text`, textFile({ end: 128 + 9, text }));
    expect((await readLastOutput(connection, NOTHING))?.unsent).toMatchObject([
      { messageId: "r1", name: "stderr", text: "not" },
      { messageId: "r2", name: "stdout", text: "yet\0!" },
    ]);
  });

  test("is not told again where a message that was kept holds it, if that is of the same round", async () => {
    await writeFile(`${address}-text`, textFile({ round: 7, text: "\u00ffor1\u00ffabcdef" }));
    await writeFile(`${address}-sent0`, Buffer.concat([record({ round: 7, textEnd: 128 + 8 }), record({ round: 6, textEnd: 4000 })]));
    expect((await readLastOutput(connection, NOTHING))?.unsent).toMatchObject([{ text: "def" }]);
  });

  test("loses only the character that was cut", async () => {
    await writeFile(`${address}-text`, textFile({ text: "\u00ffor1\u00ffa\u00c3" }));
    expect((await readLastOutput(connection, NOTHING))?.unsent).toMatchObject([{ text: "a" }]);
  });
});

describe("what was written to file descriptors", () => {
  const owned = { owner: "r1", rawNumber: 3, stream: 2, raw: "read, " };

  test("was read from a pipe, or is in it still; it comes after what waits", async () => {
    await writeFile(`${address}-text`, textFile({ ...owned, text: "\u00ffor1\u00ffprinted" }));
    const unread = { stdout: Buffer.from("out"), stderr: Buffer.from("unread") };
    expect((await readLastOutput(connection, unread))?.unsent.map(({ name, text }) => [name, text])).toEqual([
      ["stdout", "printed"],
      ["stdout", "out"],
      ["stderr", "read, unread"],
    ]);
  });

  test("comes before what waits where children were started", async () => {
    await writeFile(`${address}-text`, textFile({ ...owned, text: "\u00ffOr1\u00ffprinted" }));
    expect((await readLastOutput(connection, NOTHING))?.unsent.map(({ text }) => text)).toEqual(["read, ", "printed"]);
  });

  test("is not told again where a message that was kept holds it", async () => {
    await writeFile(`${address}-text`, textFile(owned));
    await writeFile(`${address}-sent1`, record({ rawNumber: 3 }));
    expect((await readLastOutput(connection, NOTHING))?.unsent).toEqual([]);
  });

  test("stays in the pipe that is held open when its last writer has gone", () => {
    for (const name of ["stdout", "stderr"]) execFileSync("mkfifo", [`${address}-${name}`]);
    const pipes = new OutputPipes(connection);
    pipes.hold();
    const writer = openSync(`${address}-stderr`, "w");
    writeSync(writer, "last words");
    closeSync(writer);
    expect(pipes.read()).toEqual({ stdout: Buffer.alloc(0), stderr: Buffer.from("last words") });
    pipes.close();
    expect(pipes.read()).toEqual(NOTHING);
  });
});

describe("messages that were sent", () => {
  test("are told in their order from both files, without one that was cut", async () => {
    await writeFile(`${address}-text`, textFile({}));
    await writeFile(
      `${address}-sent0`,
      Buffer.concat([record({ number: 4, frames: ["a", "", "bc"] }), record({ number: 5 }).subarray(0, 30)]),
    );
    await writeFile(`${address}-sent1`, record({ number: 3, lostBefore: 2 }));
    const last = await readLastOutput(connection, NOTHING);
    expect(last?.sent).toMatchObject([
      { number: 3, lostBefore: 2 },
      { number: 4, lostBefore: 0 },
    ]);
    expect(last?.sent[1]?.frames.map(String)).toEqual(["a", "", "bc"]);
  });

  test.each([
    ["too many frames", [0x31535754, 4, 0, 0, 0, 0, 0, 1000]],
    ["a frame that is too long", [0x31535754, 4, 0, 0, 0, 0, 0, 1, 999]],
    ["another mark", [1, 2, 3, 4, 5, 6, 7, 8]],
  ])("with %s are none", async (_what, numbers) => {
    await writeFile(`${address}-text`, textFile({}));
    await writeFile(`${address}-sent0`, Buffer.from(Uint32Array.from(numbers).buffer));
    expect(await readLastOutput(connection, NOTHING)).toEqual({ sent: [], unsent: [] });
  });
});

test("a kernel of another language has left nothing, nor is a link followed", async () => {
  expect(await readLastOutput(connection, NOTHING)).toBeUndefined();
  await writeFile(join(folder, "elsewhere"), textFile({ text: "\u00ffor1\u00ffsecret" }));
  await symlink(join(folder, "elsewhere"), `${address}-text`);
  expect(await readLastOutput(connection, NOTHING)).toBeUndefined();
});
