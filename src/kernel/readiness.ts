/**
 * Waiting until a kernel answers and its output is heard.
 *
 * The reply to a `kernel_info_request` proves the first only: iopub is another connection, and what a kernel publishes before it knows of our
 * subscription is lost. Kernels with JEP 65 greet a subscriber with `iopub_welcome`; with others the request is repeated until its status messages
 * come through.
 */
import type { MessageContents } from "./message-contents.ts";
import { KernelTimeoutError } from "./kernel-errors.ts";
import { isMessage, type Message } from "./messages.ts";
import { abortError } from "./pending-request.ts";
import type { Route } from "./route.ts";

/** What a kernel says of itself. */
export interface KernelInfo {
  protocolVersion: string;
  implementation: string;
  languageInfo: MessageContents["kernel_info_reply"]["language_info"];
  /** The version of our extensions that it speaks; undefined for any other kernel. */
  taskweaverProtocol: number | undefined;
}

/** What the wait needs of its client. */
export interface ReadinessOptions {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** What the kernel would answer, where that is known already: then only its output has to be heard. */
  known?: KernelInfo | undefined;
  /** Sends a `kernel_info_request` whose answers go to the route. */
  probe: (route: Route) => void;
}

/** Without any reply: a request may have been lost with a connection. In milliseconds. */
const REPEAT_UNANSWERED_MS = 1000;

/** With a reply, but deaf on iopub: first and longest pause between two requests. In milliseconds. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 250;

/** Probes a kernel until it is ready. */
export class ReadinessProbe implements Route {
  readonly ready: Promise<KernelInfo>;
  readonly #options: ReadinessOptions;
  readonly #deadline: NodeJS.Timeout;
  readonly #onAbort = (): void => this.fail(abortError(this.#options.signal));
  #resolve: (info: KernelInfo) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #repeat: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #info: KernelInfo | undefined;
  #heard = false;
  #settled = false;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#info = options.known;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { timeoutMs } = options;
    this.#deadline = setTimeout(() => this.fail(new KernelTimeoutError("kernel_info_request", timeoutMs)), timeoutMs);
    if (options.signal?.aborted) this.#onAbort();
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Sends the first request. */
  start(): void {
    if (this.#settled) return;
    if (this.#info === undefined) this.#probe();
    // A greeting that does not come is asked for after all.
    else this.#repeat = setTimeout(() => this.#probe(), REPEAT_UNANSWERED_MS);
  }

  /** Any message on iopub, whosever it is, shows that the subscription holds. */
  hear(): void {
    this.#heard = true;
    this.#advance();
  }

  receive(message: Message): boolean {
    if (isMessage(message, "kernel_info_reply") && this.#info === undefined) {
      this.#info = infoOf(message.content);
      this.#advance();
    }
    return true;
  }

  fail(error: Error): void {
    this.#settle(() => this.#reject(error));
  }

  #advance(): void {
    const info = this.#info;
    if (info === undefined || this.#settled) return;
    if (this.#heard) this.#settle(() => this.#resolve(info));
    else this.#schedule();
  }

  #probe(): void {
    this.#schedule();
    this.#options.probe(this);
  }

  #schedule(): void {
    clearTimeout(this.#repeat);
    const waitMs = this.#info === undefined ? REPEAT_UNANSWERED_MS : this.#pauseMs;
    if (this.#info !== undefined) this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#repeat = setTimeout(() => this.#probe(), waitMs);
  }

  #settle(act: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#repeat);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    act();
  }
}

function infoOf(content: MessageContents["kernel_info_reply"]): KernelInfo {
  return {
    protocolVersion: content.protocol_version,
    implementation: content.implementation ?? "",
    languageInfo: content.language_info,
    taskweaverProtocol: typeof content.taskweaver_protocol === "number" ? content.taskweaver_protocol : undefined,
  };
}
