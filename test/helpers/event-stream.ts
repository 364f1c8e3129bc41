/** Reads an event stream as it comes, frame by frame. */

/** One frame. */
export interface Frame {
  id: number;
  event: string;
  data: Record<string, unknown>;
}

/** The frames in a text; comments are left out. */
export function framesOf(text: string): Frame[] {
  return text
    .split("\n\n")
    .filter((block) => block !== "" && !block.startsWith(":"))
    .map(parseFrame);
}

/** Frames as they arrive; ends with the response. */
export async function* readFrames(response: Response): AsyncGenerator<Frame> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    const last = text.at(-1) ?? "";
    const more = decoder.decode(chunk, { stream: true });
    text += more;
    // A result may be many megabytes: it is not looked through anew with each chunk.
    if (!(last + more).includes("\n\n")) continue;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) if (!block.startsWith(":")) yield parseFrame(block);
  }
  if (text !== "") throw new Error(`the stream ended in the middle of a frame: ${text}`);
}

/** All frames of a response. */
export async function allFrames(response: Response): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of readFrames(response)) frames.push(frame);
  return frames;
}

/** The joined text of one stream. */
export function textOf(frames: Frame[], type: "stdout" | "stderr" = "stdout"): string {
  return frames
    .filter((frame) => frame.event === "output" && frame.data["type"] === type)
    .map((frame) => frame.data["text"])
    .join("");
}

function parseFrame(block: string): Frame {
  const match = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(block);
  if (match === null) throw new Error(`no frame of the contract: ${JSON.stringify(block.slice(0, 200))}`);
  return { id: Number(match[1]), event: String(match[2]), data: JSON.parse(String(match[3])) as Record<string, unknown> };
}
