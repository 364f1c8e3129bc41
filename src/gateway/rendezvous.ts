/** Rendezvous hashing: every gateway finds the same home for an id among the same executors, and few ids move when one comes or goes. */
import { createHash } from "node:crypto";

/** Two halves, so that two names are never weighed alike. */
interface Seed {
  high: number;
  low: number;
}

interface Weighed<Member> {
  member: Member;
  name: string;
  seed: Seed;
}

/** Executors in a form that weighs them fast: thousands for every look-up. */
export class Rendezvous<Member> {
  readonly #members: Weighed<Member>[];

  /** @param nameOf By what gateways know a member alike. */
  constructor(members: Iterable<Member>, nameOf: (member: Member) => string) {
    this.#members = [...members].map((member) => ({ member, name: nameOf(member), seed: seedOf(nameOf(member)) }));
  }

  get size(): number {
    return this.#members.length;
  }

  /** The member that weighs most for this id; undefined where there is none. @see https://en.wikipedia.org/wiki/Rendezvous_hashing */
  homeOf(id: string): Member | undefined {
    const { high, low } = seedOf(id);
    let best: Weighed<Member> | undefined;
    let bestHigh = -1;
    let bestLow = -1;
    for (const candidate of this.#members) {
      const weight = mix(high ^ candidate.seed.high);
      if (weight < bestHigh) continue;
      const second = mix(low ^ candidate.seed.low);
      if (weight === bestHigh && (second < bestLow || (second === bestLow && best !== undefined && candidate.name < best.name))) continue;
      best = candidate;
      bestHigh = weight;
      bestLow = second;
    }
    return best?.member;
  }
}

function seedOf(name: string): Seed {
  const digest = createHash("sha256").update(name).digest();
  return { high: digest.readUInt32LE(0), low: digest.readUInt32LE(4) };
}

/** Murmur's finalizer: each bit of the input changes about half of the output's. @see https://github.com/aappleby/smhasher */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
