/** The image that a server runs from: found here or fetched, and known to be ours. */
import { UsageError } from "../errors.ts";
import type { ContainerEngine } from "./container-engine.ts";
import { firstWords } from "./container-faults.ts";

/** The name that the documented `docker build` gives. */
export const LOCAL_IMAGE = "taskweaver-executor:latest";

/** The label of our images; its value is the version of what the launcher relies on: entrypoint, paths, environment. */
export const IMAGE_LABEL = "taskweaver.executor";

const LABEL_VERSION = "1";
const BUILD = `docker build -f Dockerfile.executor -t ${LOCAL_IMAGE} .`;

/** How an image is asked for. */
export interface ImageRequest {
  image: string;
  onProgress: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/**
 * The name of an image on this machine to run: the one asked for, else the one that was built here under our own name, else the one
 * asked for, pulled.
 * @throws UsageError where it cannot be had, or is none of ours.
 */
export async function findImage(engine: ContainerEngine, request: ImageRequest): Promise<string> {
  const { image, signal } = request;
  for (const name of isOurName(image) ? [image, LOCAL_IMAGE] : [image]) {
    const labels = await engine.imageLabels(name, signal);
    if (labels === undefined) continue;
    if (name !== image) request.onProgress(`Using the local image ${name}, since ${image} is not on this machine`);
    return checked(name, labels);
  }
  await pull(engine, request);
  return checked(image, (await engine.imageLabels(image, signal)) ?? {});
}

/** A registry's copy of our own image may be stood in for by one built here; an image that somebody made and named may not. */
function isOurName(image: string): boolean {
  return /(^|\/)taskweaver-executor(:latest)?$/.test(image);
}

function checked(image: string, labels: Record<string, string>): string {
  const version = labels[IMAGE_LABEL];
  if (version === LABEL_VERSION) return image;
  const wrong =
    version === undefined
      ? `The image ${image} is no execution server (it lacks the label ${IMAGE_LABEL})`
      : `The image ${image} was built for another version of this program (its label ${IMAGE_LABEL} is ${version}, not ${LABEL_VERSION})`;
  throw new UsageError(`${wrong}: build one from Dockerfile.executor (${BUILD}), or correct execution.server.container_image.`);
}

async function pull(engine: ContainerEngine, { image, onProgress, signal }: ImageRequest): Promise<void> {
  onProgress(`Pulling the image ${image}`);
  const layers = new Map<string, boolean>();
  const complaint = await engine.pull(
    image,
    (line) => {
      const layer = /^([0-9a-f]{12}): (.*)$/.exec(line);
      if (layer?.[1] === undefined) return;
      const isDone = layer[2] === "Pull complete" || layer[2] === "Already exists";
      if (layers.get(layer[1]) === isDone) return;
      layers.set(layer[1], isDone);
      const done = [...layers.values()].filter(Boolean).length;
      if (isDone) onProgress(`Pulling the image ${image}: ${done} of ${layers.size} layers`);
    },
    signal,
  );
  if (complaint === undefined) return;
  throw new UsageError(
    `The image ${image} is not on this machine and could not be pulled (${firstWords(complaint).replace(/\.$/, "")}). Build it in the project's folder: ${BUILD}`,
    { cause: complaint },
  );
}
