/** Brings files from the reader's machine into the session's folder. */
import type { SessionModel } from "../notebook/session-model.ts";
import { formatBytes } from "../ui/format.ts";
import { notify, notifyError } from "../ui/notices.ts";

/** A file, and the path it gets below the session's folder. */
export interface Upload {
  path: string;
  file: File;
}

/** Sends files one after the other; what fails is told and does not keep the others. */
export async function uploadAll(model: SessionModel, uploads: Upload[]): Promise<void> {
  let count = 0;
  let sizeBytes = 0;
  for (const { path, file } of uploads) {
    model.uploading.value = { name: path, left: uploads.length - count };
    try {
      await model.link.client.uploadFile(model.sessionId, path, file, { timeoutMs: null });
      count += 1;
      sizeBytes += file.size;
    } catch (error) {
      notifyError(error);
    }
  }
  model.uploading.value = null;
  model.filesVersion.value += 1;
  if (count > 0) notify(`${count === 1 ? (uploads[0]?.path ?? "One file") : `${count} files`} uploaded (${formatBytes(sizeBytes)}).`);
}

/** What was dropped: files, and whole folders with their structure. */
export async function droppedFiles(data: DataTransfer): Promise<Upload[]> {
  // The items are gone after the first wait, so all entries are taken at once.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...data.files].map((file) => ({ path: file.name, file }));
  return (await Promise.all(entries.map((entry) => filesOf(entry, "")))).flat();
}

async function filesOf(entry: FileSystemEntry, folder: string): Promise<Upload[]> {
  const path = folder + entry.name;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path, file }];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives a folder's entries in batches, the last one empty.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) break;
    children.push(...batch);
  }
  return (await Promise.all(children.map((child) => filesOf(child, `${path}/`)))).flat();
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
