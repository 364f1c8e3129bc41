/** A session's folders and the files that clients put there. */
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createWorkspace, listSessionFiles, openSessionFile, removeWorkspace, writeSessionFile } from "../../../src/session/workspace.ts";

let base: string;
let cwd: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "tw-workspace-")));
  cwd = join(base, "cwd");
  await mkdir(cwd);
});
afterEach(() => rm(base, { recursive: true, force: true }));

describe("a session's folders", () => {
  test("are its own below the work directory, the server's part for the server's user only", async () => {
    const workspace = await createWorkspace(base, "s1", undefined);
    expect(workspace).toEqual({
      directory: join(base, "sessions/s1"),
      cwd: join(base, "sessions/s1/cwd"),
      cwdRequested: undefined,
      privateDirectory: join(base, "sessions/s1/ces"),
    });
    expect((await stat(workspace.privateDirectory)).mode & 0o777).toBe(0o700);
    expect((await stat(workspace.cwd)).isDirectory()).toBe(true);
  });

  test("take an absolute cwd that is there, or that can be made", async () => {
    const wanted = join(base, "deep/er");
    for (const cwdWanted of [wanted, wanted, cwd]) {
      expect(await createWorkspace(base, "s1", cwdWanted)).toMatchObject({ cwd: cwdWanted, cwdRequested: undefined });
    }
    await symlink(cwd, join(base, "link"));
    expect((await createWorkspace(base, "s1", join(base, "link"))).cwd).toBe(join(base, "link"));
  });

  test.each(["/proc/nowhere/x", "/dev/null", "/dev/null/x", "C:\\x", "\\\\server\\share"])(
    "fall back to the session's own where %s cannot be made, and say so",
    async (wanted) => {
      const own = join(base, "sessions/s1/cwd");
      expect(await createWorkspace(base, "s1", wanted)).toMatchObject({ cwd: own, cwdRequested: wanted });
      expect((await stat(own)).isDirectory()).toBe(true);
    },
  );

  test.each(["relative", "./x", "../x", "~", "C:x", "/a\0b"])("refuse the cwd %j", async (wanted) => {
    await expect(createWorkspace(base, "s1", wanted)).rejects.toMatchObject({ code: "invalid_request", errors: [{ path: "/cwd" }] });
  });

  test("made again for the same id are the same, with the files that are there", async () => {
    const first = await createWorkspace(base, "s1", undefined);
    await writeFile(join(first.cwd, "f"), "kept");
    const second = await createWorkspace(base, "s1", undefined);
    expect(await readFile(join(second.cwd, "f"), "utf8")).toBe("kept");
  });

  test("are removed whole, but not a cwd elsewhere", async () => {
    const workspace = await createWorkspace(base, "s1", cwd);
    await writeFile(join(cwd, "f"), "");
    await removeWorkspace(workspace);
    await removeWorkspace(workspace);
    expect(await readdir(join(base, "sessions"))).toEqual([]);
    expect(await readdir(cwd)).toEqual(["f"]);
  });
});

describe("writing a file", () => {
  test("makes it with its folders, then replaces it, and says which", async () => {
    const first = await writeSessionFile(cwd, "a//b.txt", Buffer.from("one"));
    expect(first).toMatchObject({ path: join(cwd, "a/b.txt"), created: true, info: { path: "a/b.txt", size: 3 } });
    expect(first.info.modified_at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    const second = await writeSessionFile(cwd, "a/b.txt", Readable.from([Buffer.from("tw"), Buffer.from("oo")]));
    expect(second).toMatchObject({ created: false, info: { size: 4 } });
    expect(await readFile(join(cwd, "a/b.txt"), "utf8")).toBe("twoo");
  });

  test("that fails on the way leaves the old file and nothing beside it", async () => {
    await writeSessionFile(cwd, "f", Buffer.from("old"));
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from("half");
        throw new Error("the client left");
      })(),
    );
    await expect(writeSessionFile(cwd, "f", broken)).rejects.toThrow("the client left");
    expect(await readdir(cwd)).toEqual(["f"]);
    expect(await readFile(join(cwd, "f"), "utf8")).toBe("old");
  });

  test("replaces a symlink instead of following it", async () => {
    await writeFile(join(base, "outside"), "untouched");
    await symlink(join(base, "outside"), join(cwd, "f"));
    await writeSessionFile(cwd, "f", Buffer.from("new"));
    expect(await readFile(join(base, "outside"), "utf8")).toBe("untouched");
    expect(await readFile(join(cwd, "f"), "utf8")).toBe("new");
  });

  test.each([
    ["folder", "is a folder"],
    ["file/x", "not a folder"],
    ["file/x/y", "not a folder"],
    ["../x", "leave the session"],
    [`${"x".repeat(256)}`, "longer than 255 bytes"],
    [Array(30).fill("y".repeat(200)).join("/"), "too long"],
  ])("to %s is refused with a sentence", async (name, sentence) => {
    await mkdir(join(cwd, "folder"));
    await writeFile(join(cwd, "file"), "");
    await expect(writeSessionFile(cwd, name, Buffer.from("x"))).rejects.toMatchObject({
      code: "invalid_path",
      message: expect.stringContaining(sentence),
    });
  });

  test("lands outside never, although a folder on the way turns into a symlink again and again", async () => {
    const outside = join(base, "outside");
    await mkdir(outside);
    await mkdir(join(cwd, "a"));
    let busy = true;
    const swapping = (async () => {
      while (busy) {
        await rename(join(cwd, "a"), join(base, "aside")).catch(() => undefined);
        await symlink(outside, join(cwd, "a")).catch(() => undefined);
        await rm(join(cwd, "a"), { force: true }).catch(() => undefined);
        await rename(join(base, "aside"), join(cwd, "a")).catch(() => undefined);
      }
    })();
    const writes = Array.from({ length: 200 }, async (_, index) => writeSessionFile(cwd, `a/f${index}`, Buffer.from("x")));
    await Promise.allSettled(writes);
    busy = false;
    await swapping;
    expect(await readdir(outside)).toEqual([]);
  });
});

describe("the list of files", () => {
  test("has every regular file by path, and neither symlinks nor half uploads", async () => {
    for (const name of ["b", "a/z", "a/b/c", ".hidden"]) await writeSessionFile(cwd, name, Buffer.from("12"));
    await symlink(base, join(cwd, "out"));
    await writeFile(join(cwd, ".taskweaver-upload-1234"), "half");
    const files = await listSessionFiles(cwd);
    expect(files.map((file) => file.path)).toEqual([".hidden", "a/b/c", "a/z", "b"]);
    expect(files[0]).toMatchObject({ size: 2, modified_at: expect.stringMatching(/Z$/) });
  });

  test("of a folder that is gone is empty", async () => {
    expect(await listSessionFiles(join(base, "gone"))).toEqual([]);
  });
});

test("a written file can be opened under the name it was written with", async () => {
  for (const name of ["ü b/日本.txt", "%2e", "a'b\"c", "-", "..."]) {
    await writeSessionFile(cwd, name, Buffer.from(name));
    const { handle } = await openSessionFile(cwd, name);
    expect(await handle.readFile("utf8")).toBe(name);
    await handle.close();
  }
});
