/** The events of one execution, each exactly once and in order, over as many connections as it takes. */
import type { EventSourceMessage } from "eventsource-parser";
import type { ExecuteRequest, ExecutionEvent, ExecutionStatus } from "../api/index.ts";
import { asFault, pathOf, type Connection } from "./connection.ts";
import { ExecutionClientError, isFault } from "./error.ts";
import { notOurs } from "./faults.ts";
import { DeliveredEvents } from "./missing-events.ts";
import { randomId } from "./random-id.ts";
import { readServerSentEvents } from "./server-sent-events.ts";
import { Backoff, deadline, pause, type Deadline } from "./waiting.ts";

/** Which execution to follow. */
export interface ExecutionAddress {
  sessionId: string;
  executionId: string;
}

/** Code to run before its events are read. */
export interface BeginRequest extends Omit<ExecuteRequest, "exec_id" | "stream"> {
  /** Whether nobody else can have chosen this execution id. */
  isOwnId: boolean;
}

/** How to follow it. */
export interface Following {
  /** The code to run; null to follow an execution that exists. */
  begin: BeginRequest | null;
  /** Ends the wait; the execution goes on. */
  clock: Deadline;
  /** Told, and waited for, each time that nothing listens any more. */
  onServerGone: () => Promise<void>;
}

const FIRST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 3_000;
/** The server sends a comment every 15 s; a connection this silent is dead, e.g. after a laptop slept. */
const SILENCE_MS = 60_000;
/** How long a server may stay away in the middle of an execution. */
const AWAY_MS = 60_000;

/**
 * Starts an execution where `begin` is given, then yields its events until `done`.
 * A broken connection is resumed; where the stream is gone, what is missing is taken from the result.
 * @throws ExecutionClientError; `connection_refused` and `session_not_found` only where the code has not begun.
 */
export async function* executionEvents(
  connection: Connection,
  address: ExecutionAddress,
  { begin, clock, onServerGone }: Following,
): AsyncGenerator<ExecutionEvent> {
  const delivered = new DeliveredEvents();
  try {
    const streamPath = begin === null ? pathOfExecution(address, "stream") : await start(connection, address, begin, clock.signal);
    const backoff = new Backoff(FIRST_PAUSE_MS, MOST_PAUSE_MS);
    let awaySince: number | null = null;
    for (;;) {
      let fault: ExecutionClientError;
      try {
        for await (const event of readOnce(connection, streamPath, delivered, clock)) {
          awaySince = null;
          if (event === "connected") continue;
          backoff.reset();
          yield event;
          if (event.event === "done") return;
        }
        fault = new ExecutionClientError("connection_lost", `The stream from ${connection.url} ended before the execution did.`);
      } catch (error) {
        fault = asFault(connection.url, error);
      }
      if (clock.signal.aborted) throw fault;
      if (delivered.hasResult) {
        yield { event: "done", data: {} };
        return;
      }
      if (fault.code === "stream_expired") {
        yield* delivered.missing(await waitForResult(connection, address, clock.signal));
        return;
      }
      awaySince ??= Date.now();
      if (!isPassing(fault) || Date.now() - awaySince > AWAY_MS) throw begin === null ? fault : lostMidway(connection.url, address, fault);
      if (fault.code === "connection_refused") await onServerGone();
      await pause(backoff.nextMs(), clock.signal);
    }
  } catch (error) {
    throw clock.faultOf(error) ?? asFault(connection.url, error);
  }
}

/** What a fault means for code that has begun: not that it has not run. */
function lostMidway(url: string, { sessionId, executionId }: ExecutionAddress, fault: ExecutionClientError): ExecutionClientError {
  const what =
    fault.code === "connection_refused"
      ? `Nothing answers at ${url} any more, where the execution ${executionId} was running`
      : fault.code === "session_not_found"
        ? `The server at ${url} does not know the session ${sessionId} any more, in which the execution ${executionId} was running`
        : undefined;
  if (what === undefined) return fault;
  return new ExecutionClientError("connection_lost", `${what}: how far its code came is not known.`, { cause: fault });
}

/** The path of an execution or of something of it. */
export function pathOfExecution({ sessionId, executionId }: ExecutionAddress, ...parts: string[]): string {
  return pathOf("sessions", sessionId, "execute", executionId, ...parts);
}

/** Asks for the execution; the key makes a second copy of the request harmless. */
async function start(connection: Connection, address: ExecutionAddress, begin: BeginRequest, signal: AbortSignal): Promise<string> {
  const { isOwnId, ...request } = begin;
  let wasRepeated = false;
  try {
    const answer = await connection.json<{ stream_url?: unknown }>("POST", pathOf("sessions", address.sessionId, "execute"), {
      json: { exec_id: address.executionId, ...request, stream: true },
      headers: { "Idempotency-Key": randomId(32) },
      repeatable: true,
      persistent: true,
      onRetry: () => (wasRepeated = true),
      signal,
    });
    const { stream_url: streamUrl } = answer;
    // Only ever a path: a whole URL could send the key elsewhere.
    if (typeof streamUrl === "string" && streamUrl.startsWith("/api/v1/")) return streamUrl;
  } catch (error) {
    // A server that does not know the header takes our own repeat for another execution with this id.
    if (!(wasRepeated && isOwnId && isFault(error, "execution_exists"))) throw error;
  }
  return pathOfExecution(address, "stream");
}

/** One connection to the stream: what it brings beyond what has been delivered. */
async function* readOnce(
  connection: Connection,
  streamPath: string,
  delivered: DeliveredEvents,
  clock: Deadline,
): AsyncGenerator<ExecutionEvent | "connected"> {
  const silence = deadline(clock.signal, SILENCE_MS, () => `Nothing came from ${connection.url} for ${SILENCE_MS / 1000} s.`);
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (delivered.lastId > 0) headers["Last-Event-ID"] = String(delivered.lastId);
    const response = await connection.open("GET", streamPath, { headers }, silence);
    if (response.body === null || !(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
      await response.body?.cancel();
      throw notOurs(connection.url, "where the stream of an execution should be is something else", response.status);
    }
    yield "connected";
    let position = 0;
    for await (const frame of readServerSentEvents(response.body, silence)) {
      position += 1;
      // Without ids every connection begins at the first event.
      const id = frame.id === undefined ? position : Number(frame.id);
      if (id <= delivered.lastId) continue;
      const event = parseEvent(connection.url, frame);
      delivered.note(id, event);
      if (event !== null) yield event;
    }
  } catch (error) {
    throw silence.faultOf(error) ?? error;
  } finally {
    silence.clear();
  }
}

/** Events of names that are not known are skipped: a newer server may have more. */
function parseEvent(url: string, frame: EventSourceMessage): ExecutionEvent | null {
  if (!KNOWN_EVENTS.has(frame.event ?? "")) return null;
  try {
    return { event: frame.event, data: JSON.parse(frame.data) as unknown } as ExecutionEvent;
  } catch (error) {
    throw notOurs(url, `its ${frame.event} event is no JSON`, 200, error);
  }
}

const KNOWN_EVENTS = new Set(["output", "artifact", "input_request", "result", "done"]);

async function waitForResult(connection: Connection, address: ExecutionAddress, signal: AbortSignal) {
  const backoff = new Backoff(FIRST_PAUSE_MS, MOST_PAUSE_MS);
  for (;;) {
    const status = await connection.json<ExecutionStatus>("GET", pathOfExecution(address), { signal });
    if (status.result !== undefined) return status.result;
    await pause(backoff.nextMs(), signal);
  }
}

/** What may be over in a moment: a lost network, a proxy or server that restarts. */
function isPassing(fault: ExecutionClientError): boolean {
  const isOfServer = fault.statusCode === 503 || fault.statusCode === 502 || fault.statusCode === 504;
  return (
    isOfServer ||
    ["connection_lost", "connection_refused", "timeout"].includes(fault.code) ||
    (fault.code === "unreachable" && fault.statusCode === 0)
  );
}
