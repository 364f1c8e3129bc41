/** Brings the artifacts of an execution to where the user wants them. */
import { constants, createWriteStream } from "node:fs";
import { access, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Artifact, ExecutionSession } from "../client/index.ts";

/** Where artifacts come from and go to. */
export interface ArtifactSaverOptions {
  session: ExecutionSession;
  /** The session's folder, where it is one of this machine that both see; else files are downloaded. */
  sharedFolder: string | null;
  /** Absolute path; made when needed. */
  outputDirectory: string;
}

/** Saves artifacts; never overwrites a file. */
export class ArtifactSaver {
  readonly #options: ArtifactSaverOptions;

  constructor(options: ArtifactSaverOptions) {
    this.#options = options;
  }

  /** Puts an artifact's file into the output directory; returns its path there. */
  async save(artifact: Artifact): Promise<string> {
    const { outputDirectory } = this.#options;
    const source = await this.#sharedFile(artifact.file_name);
    if (source !== null && isInside(outputDirectory, source)) return source;
    await mkdir(outputDirectory, { recursive: true });
    // Only ever a plain name: the server says it, and it must not choose a place outside.
    const target = await freeName(join(outputDirectory, basename(artifact.file_name)));
    if (source !== null) await move(source, target);
    else await this.#download(artifact.file_name, target);
    return target;
  }

  async #sharedFile(fileName: string): Promise<string | null> {
    const { sharedFolder } = this.#options;
    if (sharedFolder === null) return null;
    const path = resolve(sharedFolder, fileName);
    return isInside(sharedFolder, path) && (await exists(path)) ? path : null;
  }

  async #download(fileName: string, target: string): Promise<void> {
    const { body } = await this.#options.session.downloadArtifact(fileName);
    const part = `${target}.part`;
    try {
      await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), createWriteStream(part));
      await rename(part, target);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }
}

/** The path, or one with a number where a file has it already. */
async function freeName(path: string): Promise<string> {
  const extension = extname(path);
  const stem = join(dirname(path), basename(path, extension));
  for (let number = 0; ; number += 1) {
    const candidate = number === 0 ? path : `${stem}-${number}${extension}`;
    if (!(await exists(candidate))) return candidate;
  }
}

async function move(source: string, target: string): Promise<void> {
  try {
    await rename(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    await copyFile(source, target, constants.COPYFILE_EXCL);
    await rm(source);
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
