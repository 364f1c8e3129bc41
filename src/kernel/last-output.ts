/** What a dead kernel had written, as far as somebody else has kept it; some of it may have been received already. */
import { missingField } from "./required-fields.ts";
import type { Message } from "./messages.ts";
import type { Route } from "./route.ts";
import type { WireCodec } from "./wire.ts";

/** A message that was sent on iopub. */
export interface SentMessage {
  /** Which one it is of all messages of its request, from 0. */
  number: number;
  /** How many messages had been given up by then, since nobody took them and they became too many. */
  lostBefore: number;
  frames: Uint8Array[];
}

export type OutputStreamName = "stdout" | "stderr";

/** Text that was written and not yet sent. */
export interface UnsentText {
  /** The request whose code wrote it. */
  messageId: string;
  name: OutputStreamName;
  text: string;
}

/** All of it, in the order written. */
export interface LastOutput {
  sent: SentMessage[];
  unsent: UnsentText[];
}

/** Who waits for what answers a request, by the id of its message. */
export interface Receivers {
  get(messageId: string): Pick<Route, "receivedCount"> | undefined;
}

/** Of these the count of received messages may be ahead: they are not kept, as nobody misses them of a dead kernel. */
const UNKEPT_AT_BEGIN = 2;

const GAP = "\n[some output is missing here: it was too much to be kept until it had arrived]\n";

/** The messages that did not arrive, one after the other; each is to be delivered before the next is asked for. */
export function* missedMessages({ sent, unsent }: LastOutput, codec: WireCodec, routes: Receivers): Generator<Message> {
  const told = new Set<string>();
  for (const { number, lostBefore, frames } of sent) {
    const message = codec.decode("iopub", frames);
    if (typeof message === "string" || missingField(message) !== undefined) continue;
    const messageId = message.parent_header.msg_id ?? "";
    const received = routes.get(messageId)?.receivedCount?.() ?? Infinity;
    if (!told.has(messageId) && number < received) continue;
    if (!told.has(messageId) && lostBefore > 0 && number > Math.max(received, UNKEPT_AT_BEGIN))
      yield streamMessage(messageId, "stderr", GAP);
    told.add(messageId);
    yield { ...message, isLeft: true };
  }
  for (const { messageId, name, text } of unsent) if (routes.get(messageId) !== undefined) yield streamMessage(messageId, name, text);
}

function streamMessage(messageId: string, name: OutputStreamName, text: string): Message {
  const header = { msg_id: "", session: "", username: "", date: new Date().toISOString(), msg_type: "stream", version: "5.4" };
  const parent = { msg_id: messageId };
  return { channel: "iopub", header, parent_header: parent, metadata: {}, content: { name, text }, buffers: [], isLeft: true };
}
