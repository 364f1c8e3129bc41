/** The artifacts of one execution: its displays, which may update themselves or be cleared away, and what plugins added. */
import { DisplayFiles } from "./artifact-file.ts";
import type { DisplayContent } from "./display.ts";
import type { EntryOf } from "./journal/journal-entry.ts";
import type { StoredArtifact } from "./result.ts";

/** What it is made with. */
export interface ShownArtifactsOptions {
  executionId: string;
  cwd: string;
  /** Characters of content that all of them may carry; absent: no limit. */
  maxBytes: number | undefined;
  /** Makes an artifact, or the next state of one, known; returns the number of its event. */
  note: (artifact: StoredArtifact, replaces: number) => number;
}

interface Shown {
  /** Without its content where that is no longer held. */
  artifact: StoredArtifact;
  contentBytes: number;
  eventId: number;
}

/** In the order of the result: each display, then what plugins added. */
export class ShownArtifacts {
  readonly #options: ShownArtifactsOptions;
  readonly #files: DisplayFiles;
  #displays: Shown[] = [];
  #pluginArtifacts: Shown[] = [];
  /** Displays that were cleared away; the next ones take their places. */
  #cleared: Shown[] = [];
  /** Of the content that artifacts carry now. */
  #contentBytes = 0;
  #isHeld = true;

  constructor(options: ShownArtifactsOptions) {
    this.#options = options;
    this.#files = new DisplayFiles(options.cwd, options.executionId);
  }

  get artifacts(): StoredArtifact[] {
    return this.#all.map(({ artifact }) => artifact);
  }

  /** The numbers of their events. */
  get ids(): number[] {
    return this.#all.map(({ eventId }) => eventId);
  }

  get #all(): Shown[] {
    return [...this.#displays, ...this.#pluginArtifacts];
  }

  /** Lets go of the contents that it holds in memory; what comes is not held either. */
  release(): void {
    this.#isHeld = false;
    for (const shown of [...this.#all, ...this.#cleared]) shown.artifact = withoutContent(shown.artifact);
  }

  /** Shows a display. @param isUpdate It is the next state of the one of this display id, where there is one. */
  async show(display: DisplayContent, displayId: string | undefined, isUpdate: boolean): Promise<void> {
    const previous =
      isUpdate && displayId !== undefined ? this.#displays.find(({ artifact }) => artifact.display_id === displayId) : undefined;
    if (previous !== undefined) return this.#replace(previous, display, displayId);
    const place = this.#cleared.shift();
    if (place !== undefined) {
      this.#displays.push(place);
      return this.#replace(place, display, displayId ?? place.artifact.display_id ?? place.artifact.name);
    }
    const { name, fileName } = await this.#files.write(display);
    this.#displays.push(this.#noted(artifactOf(name, fileName, display, displayId), 0));
  }

  /** Takes the displays off the page. */
  clear(): void {
    this.#cleared = [...this.#displays, ...this.#cleared];
    this.#displays = [];
  }

  /** Adds what a plugin made. */
  add(artifact: StoredArtifact): void {
    this.#pluginArtifacts.push(this.#noted(artifact, 0));
  }

  /** Takes up what was noted before; its content is not held again. */
  restore({ id, replaces, artifact }: EntryOf<"artifact">): void {
    const shown = { artifact: withoutContent(artifact), contentBytes: artifact.file_content?.length ?? 0, eventId: id };
    this.#contentBytes += shown.contentBytes;
    const isDisplay = artifact.file_content !== undefined || artifact.name.startsWith(`${this.#options.executionId}-display-`);
    if (!isDisplay) return void this.#pluginArtifacts.push(shown);
    // The entry that it replaces may not be there any more.
    const previous = this.#displays.find(({ eventId, artifact: { name } }) => eventId === replaces || name === artifact.name);
    if (previous === undefined) return void this.#displays.push(shown);
    this.#contentBytes -= previous.contentBytes;
    Object.assign(previous, shown);
  }

  async #replace(shown: Shown, display: DisplayContent, displayId: string | undefined): Promise<void> {
    const { name, fileName } = await this.#files.replace({ name: shown.artifact.name, fileName: shown.artifact.file_name }, display);
    this.#contentBytes -= shown.contentBytes;
    Object.assign(shown, this.#noted(artifactOf(name, fileName, display, displayId), shown.eventId));
  }

  #noted(whole: StoredArtifact, replaces: number): Shown {
    const artifact = this.#carried(whole);
    const eventId = this.#options.note(artifact, replaces);
    return { artifact: this.#isHeld ? artifact : withoutContent(artifact), contentBytes: artifact.file_content?.length ?? 0, eventId };
  }

  /** Without its content where artifacts already carry as much as they may: then it is in its file only, and says so. */
  #carried(artifact: StoredArtifact): StoredArtifact {
    const { file_content: content = "", file_content_encoding: _, ...others } = artifact;
    if (this.#contentBytes + content.length <= (this.#options.maxBytes ?? Infinity)) {
      this.#contentBytes += content.length;
      return artifact;
    }
    return { ...others, preview: `[the content is left out here; it is in ${artifact.file_name}] ${artifact.preview}` };
  }
}

function withoutContent(artifact: StoredArtifact): StoredArtifact {
  const { file_content: _, ...others } = artifact;
  return others;
}

function artifactOf(name: string, fileName: string, display: DisplayContent, displayId: string | undefined): StoredArtifact {
  return {
    name,
    type: display.type,
    mime_type: display.mimeType,
    original_name: fileName,
    file_name: fileName,
    file_content: display.content,
    file_content_encoding: display.encoding,
    preview: display.preview,
    ...(displayId === undefined ? {} : { display_id: displayId }),
  };
}
