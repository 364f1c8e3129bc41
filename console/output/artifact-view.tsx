/** Shows what code displayed or a plugin added: pictures, HTML, tables, texts, files. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Artifact } from "../../src/client/index.ts";
import { Icon } from "../ui/icon.tsx";
import { libraryOf } from "./chart-html.ts";
import { ChartView, HtmlView } from "./chart-view.tsx";
import { MOST_ROWS, parseCsv } from "./table.ts";
import { TableView } from "./table-view.tsx";
import { TextView } from "./value-view.tsx";

/** Reads files of the session. */
export interface ArtifactFiles {
  /** The file's bytes; of files that are large only what is needed to show them. */
  read: (fileName: string) => Promise<Blob>;
  /** Hands the file to the browser as a download. */
  save: (fileName: string) => void;
}

interface ArtifactViewProps {
  artifact: Artifact;
  files: ArtifactFiles;
}

/** One artifact. */
export function ArtifactView(props: ArtifactViewProps): JSX.Element {
  const { artifact } = props;
  const label = artifact.preview === "" ? artifact.name : artifact.preview;
  if (artifact.type === "image" || artifact.type === "svg") return <Picture {...props} label={label} />;
  if (artifact.type === "chart" && libraryOf(artifact.mime_type) !== null) return <Chart {...props} label={label} />;
  if (artifact.type === "file" || artifact.type === "chart") return <FileCard {...props} />;
  return <Text {...props} label={label} />;
}

/** A picture; as an image even SVG can run nothing. */
function Picture({ artifact, files, label }: ArtifactViewProps & { label: string }): JSX.Element {
  const inline = dataUrlOf(artifact);
  const [url, setUrl] = useState(inline);
  useEffect(() => {
    if (inline !== null) return setUrl(inline);
    let made: string | undefined;
    let isOver = false;
    files.read(artifact.file_name).then(
      (content) => {
        if (isOver) return;
        made = URL.createObjectURL(new Blob([content], { type: artifact.mime_type }));
        setUrl(made);
      },
      () => undefined,
    );
    return () => {
      isOver = true;
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [inline, artifact.file_name]);
  return (
    <figure class="picture">
      {url === null ? <div class="skeleton" /> : <img src={url} alt={label} />}
      <figcaption>
        <SaveLink artifact={artifact} files={files} />
      </figcaption>
    </figure>
  );
}

/** A chart that is data; a file of such data that a plugin added is only offered, since it may be of any size. */
function Chart({ artifact, files, label }: ArtifactViewProps & { label: string }): JSX.Element {
  const json = artifact.file_content;
  const card = <FileCard artifact={artifact} files={files} />;
  if (json === undefined) return card;
  return (
    <figure class="picture chart">
      <ChartView mimeType={artifact.mime_type} json={json} label={label} fallback={card} />
      <figcaption>
        <SaveLink artifact={artifact} files={files} />
      </figcaption>
    </figure>
  );
}

/** Texts of all kinds; read from the file where the artifact does not carry it. */
function Text({ artifact, files, label }: ArtifactViewProps & { label: string }): JSX.Element {
  const carried = artifact.file_content ?? null;
  const [text, setText] = useState(carried);
  useEffect(() => {
    if (carried !== null) return setText(carried);
    let isOver = false;
    files.read(artifact.file_name).then(
      async (content) => {
        const whole = await content.text();
        if (!isOver) setText(whole);
      },
      () => {
        if (!isOver) setText(artifact.preview);
      },
    );
    return () => {
      isOver = true;
    };
  }, [carried, artifact.file_name]);

  if (text === null) return <div class="skeleton" />;
  if (artifact.type === "html") return <HtmlView html={text} label={label} />;
  const isCarried = carried !== null;
  const table = artifact.type === "df" && artifact.file_name.endsWith(".csv") ? parseCsv(text, MOST_ROWS) : null;
  return (
    <>
      {table === null ? <TextView text={text} label={label} /> : <TableView table={table} label={label} />}
      {!isCarried && <FileCard artifact={artifact} files={files} />}
    </>
  );
}

function SaveLink({ artifact, files }: ArtifactViewProps): JSX.Element {
  return (
    <button type="button" class="save-link" onClick={() => files.save(artifact.file_name)}>
      <Icon name="download" />
      {artifact.file_name}
    </button>
  );
}

/** What cannot be shown can be had. */
function FileCard({ artifact, files }: ArtifactViewProps): JSX.Element {
  return (
    <button type="button" class="file-card" onClick={() => files.save(artifact.file_name)}>
      <Icon name="download" />
      <span class="file-card-name">{artifact.file_name}</span>
      <span class="faint">{artifact.type === "chart" ? `chart data, ${artifact.mime_type}` : artifact.mime_type}</span>
    </button>
  );
}

function dataUrlOf(artifact: Artifact): string | null {
  const { file_content: content, mime_type: type } = artifact;
  if (content === undefined) return null;
  return artifact.file_content_encoding === "base64"
    ? `data:${type};base64,${content}`
    : `data:${type};charset=utf-8,${encodeURIComponent(content)}`;
}
