/** Repeats of a request with the same Idempotency-Key: they get the first one's execution and run nothing. */
import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Execution } from "./execution.ts";

/** A key and what the request said. */
export interface Repeat {
  key: string;
  /** Of the body. */
  digest: string;
}

/** @param body As validated and with every default filled in, so that the order of fields and the ways to write nothing make no difference. */
export function repeatOf(key: string, body: unknown): Repeat {
  return { key, digest: createHash("sha256").update(JSON.stringify(body)).digest("base64") };
}

/** The keys of one session; an entry lives as long as its execution's stream. */
export class IdempotencyKeys {
  readonly #entries = new Map<string, { digest: string; execution: Execution }>();

  /** The execution that the key stands for, if any. @throws AppError `idempotency_mismatch` where the key came with another body. */
  find({ key, digest }: Repeat): Execution | undefined {
    const known = this.#entries.get(key);
    if (known === undefined || known.execution.log.discarded) return undefined;
    if (known.digest !== digest) throw new AppError("idempotency_mismatch");
    return known.execution;
  }

  /** From now on the key stands for this execution. */
  add({ key, digest }: Repeat, execution: Execution): void {
    this.#entries.set(key, { digest, execution });
    void execution.streamExpired.then(() => {
      if (this.#entries.get(key)?.execution === execution) this.#entries.delete(key);
    });
  }
}
