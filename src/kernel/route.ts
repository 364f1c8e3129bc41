/** Where the messages that answer one request of ours go. */
import type { Message } from "./messages.ts";

/** Takes every message whose parent is one request, in the order received. */
export interface Route {
  /** Takes a message; false where it was of no use, as a second reply is. A promise, which must not reject, means: wait before the next one. Must not throw. */
  receive(message: Message): boolean | Promise<void>;
  /** How many messages on iopub it has received; absent where nobody asks for those that it missed. */
  readonly receivedCount?: (() => number) | undefined;
  /** No further message will come. */
  fail(error: Error): void;
}

/** The routes of all open requests by the id of their message. */
export class RouteTable {
  readonly #routes = new Map<string, Route>();

  add(messageId: string, route: Route): void {
    this.#routes.set(messageId, route);
  }

  remove(messageId: string): void {
    this.#routes.delete(messageId);
  }

  /** Where answers to a request go; undefined where nobody waits for any. */
  get(messageId: string): Route | undefined {
    return this.#routes.get(messageId);
  }

  /** Hands a message to the request that it answers; false where there is none. */
  deliver(message: Message): boolean | Promise<void> {
    const parentId = message.parent_header.msg_id;
    return parentId !== undefined && (this.#routes.get(parentId)?.receive(message) ?? false);
  }

  /** Ends all open requests. */
  failAll(error: Error): void {
    const open = [...this.#routes.values()];
    this.#routes.clear();
    for (const route of open) route.fail(error);
  }
}
