/** The private folder for sockets: made, checked, swept. */
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createIpcConnection } from "../../../src/kernel/connection.ts";
import { keepRuntimeDirectory, openRuntimeDirectory, uniqueName } from "../../../src/provision/runtime-directory.ts";

let base: string;
const open = () => openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: base } });

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "taskweaver-run-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

describe("openRuntimeDirectory", () => {
  it("makes a folder in XDG_RUNTIME_DIR that only the user can enter", async () => {
    const folder = await open();
    expect(folder).toBe(join(base, "taskweaver"));
    expect((await lstat(folder)).mode & 0o777).toBe(0o700);
  });

  it("gives the same folder again, and closes it to others", async () => {
    const folder = await open();
    await chmod(folder, 0o777);
    expect(await open()).toBe(folder);
    expect((await lstat(folder)).mode & 0o777).toBe(0o700);
  });

  it("does not follow a symbolic link to another folder", async () => {
    const target = join(base, "target");
    await mkdir(target);
    await symlink(target, join(base, "taskweaver"));
    const folder = await open();
    expect(folder).not.toBe(join(base, "taskweaver"));
    expect((await lstat(folder)).isDirectory()).toBe(true);
  });

  it("takes the temporary folder where the path would be too long for a socket", async () => {
    const long = join(base, "x".repeat(90));
    await mkdir(long);
    const folder = await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: long } });
    expect(folder.startsWith(tmpdir())).toBe(true);
    expect(() => createIpcConnection(folder, uniqueName())).not.toThrow();
  });

  it("takes the temporary folder where XDG_RUNTIME_DIR does not exist", async () => {
    const folder = await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: join(base, "absent") } });
    expect(folder.startsWith(tmpdir())).toBe(true);
  });

  it("removes what killed kernels have left, and keeps what may be alive", async () => {
    const folder = await open();
    const now = Date.now();
    const old = new Date(now - 2 * 24 * 3_600_000);
    const dead = join(folder, "k00000001.json");
    await writeFile(dead, "{}");
    await utimes(dead, old, old);
    await writeFile(join(folder, "k00000002.json"), "{}");
    await writeFile(join(folder, "something-else"), "");
    await utimes(join(folder, "something-else"), old, old);
    await open();
    expect((await readdir(folder)).toSorted()).toEqual(["k00000002.json", "something-else"]);
  });

  it("keeps what a dead kernel had written for an hour, for a server to come", async () => {
    const folder = await open();
    for (const address of ["k00000004", "k0000000000000005/k"]) {
      await mkdir(dirname(join(folder, address)), { recursive: true });
      const text = Buffer.alloc(98_304);
      text.write("TWwaits1\x01", "latin1");
      text.write("\u00ffom\u00fflast words", 128, "latin1");
      for (const name of ["text", "sent0", "sent1"]) await writeFile(join(folder, `${address}-${name}`), name === "text" ? text : "");
    }
    const silent = join(folder, "k00000006-text");
    await writeFile(silent, Buffer.concat([Buffer.from("TWwaits1\x01"), Buffer.alloc(98_295)]));
    const age = async (minutes: number): Promise<string[]> => {
      const then = new Date(Date.now() - minutes * 60_000);
      const files = await readdir(folder, { recursive: true });
      await Promise.all(files.map((file) => utimes(join(folder, file), then, then)));
      await open();
      return (await readdir(folder)).toSorted();
    };
    expect(await age(50)).toEqual(["k0000000000000005", "k00000004-sent0", "k00000004-sent1", "k00000004-text"]);
    expect(await age(70)).toEqual([]);
  });

  it("keeps sockets that somebody listens on, however old", async () => {
    const folder = await open();
    const socket = join(folder, "k00000003-1");
    const server = createServer().listen(socket);
    try {
      await once(server, "listening");
      const old = new Date(Date.now() - 2 * 24 * 3_600_000);
      await utimes(socket, old, old);
      await open();
      expect(await readdir(folder)).toEqual(["k00000003-1"]);
    } finally {
      server.close();
    }
  });
});

describe("keepRuntimeDirectory", () => {
  it("makes the folder again where it was cleaned away, and uses nothing else by its name", async () => {
    const folder = await open();
    await rm(folder, { recursive: true });
    await keepRuntimeDirectory(folder);
    expect((await lstat(folder)).mode & 0o777).toBe(0o700);
    await rm(folder, { recursive: true });
    await symlink(await mkdtemp(join(base, "target-")), folder);
    await expect(keepRuntimeDirectory(folder)).rejects.toMatchObject({
      code: "kernel_start_failed",
      message: expect.stringContaining(folder),
    });
    await rm(base, { recursive: true });
    await expect(keepRuntimeDirectory(folder)).rejects.toMatchObject({ code: "kernel_start_failed" });
  });
});

describe("uniqueName", () => {
  it("differs each time and is short", () => {
    expect(uniqueName()).not.toBe(uniqueName());
    expect(uniqueName()).toMatch(/^k[0-9a-f]{8}$/);
  });
});
