/** The files of the session's folder. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { FileInfo } from "../../src/client/index.ts";
import type { SessionModel } from "../notebook/session-model.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { formatBytes, formatClock } from "../ui/format.ts";
import { uploadAll } from "./upload.ts";

/** From this many on there is a field to filter them. */
const FILTER_FROM = 12;
/** Shown at once; a filter finds the others. */
const MOST_SHOWN = 500;

/** A list of files, newest first, and the way to add some. */
export function FilesPanel({ model }: { model: SessionModel }): JSX.Element {
  const files = useSignal<FileInfo[] | null>(null);
  const [filter, setFilter] = useState("");
  const picker = useRef<HTMLInputElement>(null);
  const version = model.filesVersion.value;
  const returns = model.link.returns.value;

  useEffect(() => {
    const ending = new AbortController();
    model.link.client.listFiles(model.sessionId, { signal: ending.signal }).then(
      (list) => {
        files.value = list.toSorted((one, other) => other.modified_at.localeCompare(one.modified_at));
      },
      () => undefined,
    );
    return () => ending.abort();
  }, [model, version, returns]);

  const all = files.value ?? [];
  const found = all.filter((file) => file.path.toLowerCase().includes(filter.trim().toLowerCase()));
  const { value: uploading } = model.uploading;
  return (
    <>
      <div class="panel-head">
        <input
          ref={picker}
          type="file"
          multiple
          class="only-spoken"
          aria-label="Choose files to upload"
          tabIndex={-1}
          onChange={(event) => {
            const chosen = [...(event.currentTarget.files ?? [])].map((file) => ({ path: file.name, file }));
            event.currentTarget.value = "";
            void uploadAll(model, chosen);
          }}
        />
        <Button icon="upload" onClick={() => picker.current?.click()} disabled={uploading !== null}>
          {uploading === null ? "Upload" : `Uploading ${uploading.name}${uploading.left > 1 ? ` and ${uploading.left - 1} more` : ""}…`}
        </Button>
        <IconButton icon="restart" label="Look again" onClick={() => (model.filesVersion.value += 1)} />
      </div>
      {all.length >= FILTER_FROM && (
        <input
          type="search"
          class="filter"
          placeholder={`Filter ${all.length} files`}
          aria-label="Filter files by name"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      {files.value !== null && all.length === 0 && (
        <div class="panel-empty">
          <p>No files</p>
          <p class="muted">Drop files anywhere on this page, or let your code write some.</p>
        </div>
      )}
      <ul class="files" aria-label="Files">
        {found.slice(0, MOST_SHOWN).map((file) => (
          <li key={file.path}>
            <button type="button" class="file-name" onClick={() => model.files.save(file.path)} title={`Download ${file.path}`}>
              {file.path}
            </button>
            <span class="file-facts">
              {formatBytes(file.size)} · <time datetime={file.modified_at}>{formatClock(file.modified_at)}</time>
            </span>
            <IconButton icon="download" label={`Download ${file.path}`} onClick={() => model.files.save(file.path)} />
          </li>
        ))}
      </ul>
      {found.length > MOST_SHOWN && <p class="muted">{found.length - MOST_SHOWN} more; filter to find them.</p>}
    </>
  );
}
