/** Display files under a session's cwd: a name of their own each, never over a file that is there. */
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DisplayContent } from "./display.ts";
import { makeFolders } from "./folders.ts";

const MAX_NAME_TRIES = 100_000;

/** The names of the displays of one execution; n counts on over files that are there already. */
export class DisplayFiles {
  readonly #cwd: string;
  readonly #executionId: string;
  #count = 0;

  constructor(cwd: string, executionId: string) {
    this.#cwd = cwd;
    this.#executionId = executionId;
  }

  /** Writes a new display's file; returns its artifact name and file name. */
  async write(display: DisplayContent): Promise<{ name: string; fileName: string }> {
    for (let attempt = 0; attempt < MAX_NAME_TRIES; attempt += 1) {
      this.#count += 1;
      const name = `${this.#executionId}-display-${this.#count}`;
      const fileName = `${name}_image.${display.extension}`;
      if (await this.#create(fileName, bytesOf(display))) return { name, fileName };
    }
    throw new Error("no free name for a display's file");
  }

  /** Replaces the file of a display that updated itself; a change of form gives a new file name. */
  async replace(previous: { name: string; fileName: string }, display: DisplayContent): Promise<{ name: string; fileName: string }> {
    const fileName = `${previous.name}_image.${display.extension}`;
    if (fileName !== previous.fileName) {
      await rm(join(this.#cwd, previous.fileName), { force: true });
      if (await this.#create(fileName, bytesOf(display))) return { name: previous.name, fileName };
      return this.write(display);
    }
    // Written beside and renamed: a reader sees the old picture or the new one, and a symlink put there is not followed.
    const temporary = join(this.#cwd, `.${fileName}.part`);
    await rm(temporary, { force: true });
    await writeNew(temporary, bytesOf(display));
    await rename(temporary, join(this.#cwd, fileName));
    return previous;
  }

  async #create(fileName: string, bytes: Uint8Array): Promise<boolean> {
    try {
      await writeNew(join(this.#cwd, fileName), bytes);
      return true;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EEXIST") return false;
      if (code !== "ENOENT") throw error;
      // The code removed its own working directory.
      await makeFolders(this.#cwd);
      await writeNew(join(this.#cwd, fileName), bytes);
      return true;
    }
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(bytes);
  } catch (error) {
    // A full disk: half a picture is of use to nobody.
    await rm(path, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function bytesOf(display: DisplayContent): Uint8Array {
  return Buffer.from(display.content, display.encoding === "base64" ? "base64" : "utf8");
}
