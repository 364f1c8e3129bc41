/** Takes files that are dropped anywhere on a session's page. */
import type { ComponentChildren, JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { SessionModel } from "../notebook/session-model.ts";
import { Icon } from "../ui/icon.tsx";
import { notifyError } from "../ui/notices.ts";
import { droppedFiles, uploadAll } from "./upload.ts";

interface FileDropProps {
  model: SessionModel;
  onUploaded: () => void;
  children: ComponentChildren;
}

/** The page, and over it a sign while files hang above. */
export function FileDrop({ model, onUploaded, children }: FileDropProps): JSX.Element {
  const [isOver, setOver] = useState(false);
  /** Entering a child comes before leaving its parent. */
  const depth = useRef(0);
  const enter = (event: DragEvent, step: 1 | -1): void => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth.current += step;
    setOver(depth.current > 0);
  };
  return (
    <div
      class="drop-area"
      onDragEnter={(event) => enter(event, 1)}
      onDragLeave={(event) => enter(event, -1)}
      onDragOver={(event) => {
        if (carriesFiles(event)) event.preventDefault();
      }}
      onDrop={(event) => {
        if (!carriesFiles(event) || event.dataTransfer === null) return;
        event.preventDefault();
        depth.current = 0;
        setOver(false);
        droppedFiles(event.dataTransfer)
          .then((uploads) => uploadAll(model, uploads))
          .then(onUploaded, notifyError);
      }}
    >
      {children}
      {isOver && (
        <div class="drop-sign">
          <Icon name="upload" />
          Drop to upload into {model.sessionId}
        </div>
      )}
    </div>
  );
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") === true;
}
