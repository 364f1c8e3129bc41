/** Says which call a piece of a stream belongs to: services differ in whether they number calls, name them once, or again in each piece. */
import { randomId } from "../../client/random-id.ts";

/** The identifying part of a piece. */
export interface ToolCallPiece {
  index?: number | null;
  id?: string | null;
}

/** The calls of one reply. */
export class ToolCallIds {
  readonly #byIndex = new Map<number, { given: string; id: string }>();
  #last = 0;

  /** The id of the call that a piece belongs to; one is made up where the service has none. */
  idOf({ index, id }: ToolCallPiece): string {
    const given = id ?? "";
    const position = index ?? this.#last;
    const known = this.#byIndex.get(position);
    // Another id at the same place is another call.
    if (known !== undefined && (given === "" || known.given === given)) {
      this.#last = position;
      return known.id;
    }
    this.#last = position;
    const made = { given, id: given === "" ? `call-${randomId(12)}` : given };
    this.#byIndex.set(position, made);
    return made.id;
  }
}
