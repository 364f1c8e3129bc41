/** A client that never gives up: what a broken connection left open is asked again, so that at the end it knows how everything ended. */
import { setTimeout as delay } from "node:timers/promises";
import { readFrames, type Frame } from "../helpers/event-stream.ts";
import type { ServerUnderFire } from "./server-under-fire.ts";

/** An answer. */
export interface Answer {
  status: number;
  json: Record<string, unknown>;
}

/** A call that is not answered for so long hangs, and that is a fault. */
const ANSWER_LIMIT_MS = 150_000;
const NOT_NOW = new Set([429, 503]);

/** Talks to one server through all its lives. */
export class PatientClient {
  readonly #server: ServerUnderFire;

  constructor(server: ServerUnderFire) {
    this.#server = server;
  }

  /** Calls until there is an answer other than "not now". Repeated copies must do no harm: give them a key. */
  async call(method: string, path: string, body?: object, key?: string): Promise<Answer> {
    const headers = { ...(body && { "Content-Type": "application/json" }), ...(key && { "Idempotency-Key": key }) };
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    for (;;) {
      await this.#server.up();
      const answer = await this.#once(method, path, { headers, ...(body && { body: JSON.stringify(body) }) });
      if (answer !== undefined && !NOT_NOW.has(answer.status)) return answer;
      if (limit.aborted) throw new Error(`${method} ${path} was not answered in ${ANSWER_LIMIT_MS} ms: ${JSON.stringify(answer)}`);
      await delay(20);
    }
  }

  /**
   * Reads a stream to its end, taking it up behind the last event wherever it breaks.
   * @param leaves Asked at each event whether the client hangs up now, to come back.
   */
  async stream(path: string, onFrame: (frame: Frame) => void, leaves: () => boolean = () => false): Promise<Frame[]> {
    const frames: Frame[] = [];
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    for (;;) {
      await this.#server.up();
      const hangUp = new AbortController();
      try {
        const headers: Record<string, string> = frames.length === 0 ? {} : { "Last-Event-ID": String(frames.at(-1)!.id) };
        const signal = AbortSignal.any([hangUp.signal, limit]);
        const response = await fetch(`${this.#server.url}/api/v1${path}`, { headers, signal });
        if (response.status !== 200 && !NOT_NOW.has(response.status)) throw new StreamRefused(`${path}: ${await response.text()}`);
        for await (const frame of readFrames(response)) {
          frames.push(frame);
          onFrame(frame);
          if (frame.event === "done") return frames;
          if (leaves()) break;
        }
      } catch (error) {
        if (error instanceof StreamRefused) throw error;
        if (limit.aborted) throw new Error(`${path} did not end in ${ANSWER_LIMIT_MS} ms`, { cause: error });
      } finally {
        hangUp.abort();
      }
      await delay(20);
    }
  }

  async #once(method: string, path: string, init: RequestInit): Promise<Answer | undefined> {
    try {
      const response = await fetch(`${this.#server.url}/api/v1${path}`, { method, ...init, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
      return { status: response.status, json: (await response.json()) as Record<string, unknown> };
    } catch (error) {
      if (error instanceof DOMException && error.name === "TimeoutError") throw new Error(`${method} ${path} hangs`, { cause: error });
      return undefined;
    }
  }
}

class StreamRefused extends Error {}
