/** Rendezvous hashing: every gateway finds the same home for an id among the same executors, and few ids move when one comes or goes. */
import { hash } from "node:crypto";

/** What a name is weighed by; two halves, so that two names are never weighed alike. */
export interface Seed {
  name: string;
  high: number;
  low: number;
}

/** Whoever can be a home. */
export interface Weighed {
  readonly seed: Seed;
}

/** Executors in a form that weighs them fast: thousands for every look-up. */
export class Rendezvous<Member extends Weighed> {
  readonly #members: readonly Member[];
  /** The high halves, side by side. */
  readonly #highs: Int32Array;
  /** What makes, finds or ends a session asks several times for its home. */
  #last: { name: string; home: Member | undefined } | undefined;

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#highs = Int32Array.from(members, ({ seed }) => seed.high);
  }

  get size(): number {
    return this.#members.length;
  }

  /** The member that weighs most for this id; undefined where there is none. @see https://en.wikipedia.org/wiki/Rendezvous_hashing */
  homeOf(id: Seed): Member | undefined {
    if (this.#last?.name !== id.name) this.#last = { name: id.name, home: this.#heaviest(id) };
    return this.#last.home;
  }

  /** Whether one that has come is the home of this id, or one that is gone would be; told without a look at all members, mostly. */
  wouldBeHome(id: Seed, one: Seed): boolean {
    return this.#members.every(({ seed }) => seed.name === one.name || outweighs(id, one, seed));
  }

  #heaviest(id: Seed): Member | undefined {
    let best: Member | undefined;
    let most = -1;
    for (let index = 0; index < this.#highs.length; index += 1) {
      const weight = mix(id.high ^ (this.#highs[index] ?? 0));
      if (weight < most) continue;
      const member = this.#members[index];
      if (member === undefined || (weight === most && best !== undefined && !outweighs(id, member.seed, best.seed))) continue;
      best = member;
      most = weight;
    }
    return best;
  }
}

/** @param name By what gateways know a member alike, or an id. */
export function seedOf(name: string): Seed {
  // As text: making a buffer of it takes longer than the hash.
  const digest = hash("sha256", name, "binary");
  return { name, high: numberAt(digest, 0), low: numberAt(digest, 4) };
}

function numberAt(bytes: string, start: number): number {
  return [3, 2, 1, 0].reduce((number, index) => (number << 8) | bytes.charCodeAt(start + index), 0);
}

function outweighs(id: Seed, one: Seed, other: Seed): boolean {
  const difference = mix(id.high ^ one.high) - mix(id.high ^ other.high) || mix(id.low ^ one.low) - mix(id.low ^ other.low);
  return difference === 0 ? one.name > other.name : difference > 0;
}

/** Murmur's finalizer: each bit of the input changes about half of the output's. @see https://github.com/aappleby/smhasher */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
