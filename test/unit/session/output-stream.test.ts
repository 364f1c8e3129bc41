/** One output stream: exact to its limit, cut visibly, whole in a file. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import fc from "fast-check";
import { OutputStream } from "../../../src/session/output-stream.ts";

let cwd: string;

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "tw-output-"));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

describe("up to the limit", () => {
  test("every chunk is kept as it came and no file is made", async () => {
    const stream = open(10);
    expect(["ab", "c", "äöü"].map((text) => stream.write(text))).toEqual(["ab", "c", "äöü"]);
    expect(stream.write("d")).toBe("d");
    expect(stream).toMatchObject({ chunks: ["ab", "c", "äöü", "d"], truncation: undefined, artifact: undefined });
    expect(await readdir(cwd)).toEqual([]);
  });

  test("a byte order mark at the front of a chunk is kept, cut or not", () => {
    const stream = open(6);
    stream.write("\uFEFF");
    expect(stream.write("\uFEFFabc")).toMatch(/^\uFEFF\n\[stdout is cut/);
  });
});

describe("past the limit", () => {
  test("the text ends at the limit with a mark that names the file, and later writes give readers nothing", () => {
    const stream = open(5);
    stream.write("abc");
    const mark = "\n[stdout is cut here, after 5 bytes; all of it is in run-stdout.txt]\n";
    expect(stream.write("defg")).toBe(`de${mark}`);
    expect(stream.write("more")).toBe("");
    expect(stream.chunks).toEqual(["abc", `de${mark}`]);
  });

  test("a character is never cut in two", () => {
    const stream = open(5);
    expect(stream.write("aa😀b").startsWith("aa\n[stdout is cut here, after 2 bytes")).toBe(true);
    expect(stream.truncation).toEqual({ bytes_written: 7, bytes_kept: 2, artifact: "run-stdout.txt" });
  });

  test("the file holds all of it, before and after the cut", async () => {
    const stream = open(5);
    for (const text of ["abc", "dé", "f\n", "\r50%\r100%"]) stream.write(text);
    stream.close();
    expect(await readFile(join(cwd, "run-stdout.txt"), "utf8")).toBe("abcdéf\n\r50%\r100%");
    expect(stream.artifact).toMatchObject({
      name: "run-stdout",
      type: "txt",
      mime_type: "text/plain",
      file_name: "run-stdout.txt",
      preview: "all 17 bytes of stdout",
    });
  });

  test("a file of that name is left alone, a symlink included", async () => {
    await writeFile(join(cwd, "run-stdout.txt"), "mine");
    const stream = open(1);
    stream.write("abc");
    expect(stream.artifact?.file_name).toBe("run-stdout-2.txt");
    expect(await readFile(join(cwd, "run-stdout.txt"), "utf8")).toBe("mine");
    expect(await readFile(join(cwd, "run-stdout-2.txt"), "utf8")).toBe("abc");
    stream.close();
  });

  test("where no file can be made the cut is told all the same", () => {
    const stream = new OutputStream("stderr", "run", join(cwd, "gone"), { maxOutputBytes: 1, maxSpilledBytes: 100 });
    expect(stream.write("abc")).toBe("a\n[stderr is cut here, after 1 bytes]\n");
    expect(stream).toMatchObject({ artifact: undefined, truncation: { bytes_written: 3, bytes_kept: 1, artifact: null } });
  });

  test("the file has a limit of its own, and its artifact says how much it holds", async () => {
    const stream = open(2, 6);
    for (const text of ["abcd", "efgh", "ijkl"]) stream.write(text);
    stream.close();
    expect(await readFile(join(cwd, "run-stdout.txt"), "utf8")).toBe("abcdef");
    expect(stream.artifact?.preview).toBe("the first 6 of 12 bytes of stdout");
    expect(stream.truncation).toEqual({ bytes_written: 12, bytes_kept: 2, artifact: "run-stdout.txt" });
  });

  test("what is written after the file was closed is counted", async () => {
    const stream = open(1);
    stream.write("abc");
    stream.close();
    stream.close();
    expect(stream.write("def")).toBe("");
    expect(stream.truncation?.bytes_written).toBe(6);
    expect(await readFile(join(cwd, "run-stdout.txt"), "utf8")).toBe("abc");
  });
});

test("for any text in any chunks, what is kept is a prefix up to the limit and the file is the whole", async () => {
  const chunk = fc.string({ unit: "grapheme", maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 20 }), fc.integer({ min: 0, max: 60 }), async (chunks, limit) => {
      const stream = open(limit);
      const shown = chunks.map((text) => stream.write(text)).join("");
      stream.close();
      const whole = chunks.join("");
      expect(stream.chunks.join("")).toBe(shown);
      const { truncation } = stream;
      if (truncation === undefined) {
        expect(shown).toBe(whole);
        return;
      }
      const kept = Buffer.from(shown).subarray(0, truncation.bytes_kept).toString();
      expect(whole.startsWith(kept)).toBe(true);
      expect(truncation.bytes_kept).toBeLessThanOrEqual(limit);
      expect(truncation.bytes_kept).toBeGreaterThan(limit - 4);
      const file = join(cwd, String(truncation.artifact));
      expect(await readFile(file, "utf8")).toBe(whole);
      await rm(file);
    }),
    { numRuns: 60 },
  );
});

function open(maxOutputBytes: number, maxSpilledBytes = 1000): OutputStream {
  return new OutputStream("stdout", "run", cwd, { maxOutputBytes, maxSpilledBytes });
}
