/** Names that clients choose stay under the session's folder, whatever they are and whatever lies there. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { apiPath, cleanSegments, holdDirectoryOf, openInside } from "../../../src/session/contained-path.ts";

const HOSTILE = ["..", "../x", "a/../../x", "a/..", "/etc/passwd", "//x", "", ".", "./", "a/", "a\0b", "\0", "../", "a/../b"];

let base: string;
let root: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "tw-paths-")));
  root = join(base, "cwd");
  await mkdir(root);
  await writeFile(join(base, "secret"), "secret");
});
afterEach(() => rm(base, { recursive: true, force: true }));

describe("a name", () => {
  test.each([
    ["a", ["a"]],
    ["a/b.txt", ["a", "b.txt"]],
    ["./a//b", ["a", "b"]],
    ["...", ["..."]],
    ["..a/b..", ["..a", "b.."]],
    ["ü/日本 .txt", ["ü", "日本 .txt"]],
    ["a\\b", ["a\\b"]],
    ["x".repeat(255), ["x".repeat(255)]],
    ["-rf", ["-rf"]],
  ])("%j has the segments %j", (name, segments) => {
    expect(cleanSegments(name)).toEqual(segments);
  });

  test.each(HOSTILE)("%j is refused", (name) => {
    expect(() => cleanSegments(name)).toThrow(expect.objectContaining({ code: "invalid_path" }));
  });

  test("with a part of more than 255 bytes is refused, counted in bytes", () => {
    expect(() => cleanSegments("ü".repeat(128))).toThrow("longer than 255 bytes");
    expect(cleanSegments("ü".repeat(127))).toHaveLength(1);
  });
});

describe("opening for reading", () => {
  test("gives the file's bytes, in folders and through symlinks that stay inside", async () => {
    await mkdir(join(root, "a"));
    await writeFile(join(root, "a/b"), "inside");
    await symlink("a", join(root, "link"));
    for (const name of ["a/b", "link/b"]) {
      const { handle } = await openInside(root, name);
      expect(await handle.readFile("utf8")).toBe("inside");
      await handle.close();
    }
  });

  test.each(HOSTILE)("%j finds nothing", async (name) => {
    await expect(openInside(root, name)).rejects.toMatchObject({ code: "artifact_not_found" });
  });

  test("finds nothing through a symlink that leads out, be it the file or a folder", async () => {
    await symlink(join(base, "secret"), join(root, "file"));
    await symlink(base, join(root, "folder"));
    await symlink("../secret", join(root, "relative"));
    for (const name of ["file", "folder/secret", "relative"])
      await expect(openInside(root, name)).rejects.toMatchObject({ code: "artifact_not_found" });
  });

  test("finds no folder, no pipe, no device and no loop, and waits for none", async () => {
    await mkdir(join(root, "folder"));
    await promisify(execFile)("mkfifo", [join(root, "pipe")]);
    await symlink("/dev/zero", join(root, "zero"));
    await symlink("loop", join(root, "loop"));
    for (const name of ["folder", "pipe", "zero", "loop", "missing", "folder/missing"])
      await expect(openInside(root, name)).rejects.toMatchObject({ code: "artifact_not_found" });
  });

  test("a folder beside, whose name begins alike, is not inside", async () => {
    await mkdir(`${root}-other`);
    await writeFile(join(`${root}-other`, "f"), "");
    await symlink(join(`${root}-other`, "f"), join(root, "f"));
    await expect(openInside(root, "f")).rejects.toBeInstanceOf(AppError);
  });

  test("gives a path that goes on meaning the opened file when its name changes meaning", async () => {
    await writeFile(join(root, "f"), "first");
    const { handle, path } = await openInside(root, "f");
    try {
      await rm(join(root, "f"));
      await symlink(join(base, "secret"), join(root, "f"));
      expect(await readFile(path, "utf8")).toBe("first");
    } finally {
      await handle.close();
    }
  });
});

describe("holding a folder for writing", () => {
  test("makes the folders on the way, the root included", async () => {
    await rm(root, { recursive: true });
    const { directory, name, path } = await holdDirectoryOf(root, "a/b/c.txt");
    try {
      await writeFile(directory.entry(name), "x");
      expect([name, path]).toEqual(["c.txt", join(root, "a/b/c.txt")]);
      expect(await readFile(join(root, "a/b/c.txt"), "utf8")).toBe("x");
    } finally {
      await directory.close();
    }
  });

  test.each(HOSTILE)("refuses %j", async (name) => {
    await expect(holdDirectoryOf(root, name)).rejects.toMatchObject({ code: "invalid_path" });
  });

  test("refuses a folder that is a symlink to the outside, or to nothing, or a file", async () => {
    await symlink(base, join(root, "out"));
    await symlink("nowhere", join(root, "dangling"));
    await writeFile(join(root, "file"), "");
    for (const name of ["out/x", "out/new/x", "dangling/x", "file/x"])
      await expect(holdDirectoryOf(root, name)).rejects.toMatchObject({ code: "invalid_path" });
  });

  test("goes on writing into the held folder when another takes its place", async () => {
    const { directory, name } = await holdDirectoryOf(root, "a/f");
    try {
      await rm(join(root, "a"), { recursive: true });
      await symlink(base, join(root, "a"));
      await writeFile(directory.entry(name), "x").catch(() => undefined);
      await expect(readFile(join(base, "f"))).rejects.toMatchObject({ code: "ENOENT" });
    } finally {
      await directory.close();
    }
  });
});

test("paths in answers have forward slashes", () => {
  expect(apiPath("/a", "/a/b/c")).toBe("b/c");
});
