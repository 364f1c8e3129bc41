/** What executors are likely to have got from other gateways since they were last asked: between two answers nobody tells. */

/** About so many answers are remembered; the latest count most. */
const REMEMBERED_ANSWERS = 2_000;

/** Below it what is left of a difference is rounding. */
const SMALLEST_SHARE = 1e-9;

/** What one executor was sent by this gateway since its last answer, and how many this gateway sent anywhere meanwhile. */
export interface SentSince {
  there: number;
  anywhere: number;
}

/**
 * Learns, from each answer of an executor, how many sessions came there by others. Two things tell of them: how long ago the last answer was, counted in
 * sessions that this gateway sends anywhere, since others are about as busy; and how many it sent there itself, since others see the same figures and find
 * the same executor empty. How much each of the two tells is fitted by least squares.
 */
export class UnseenSessions {
  #sent = 0;
  /** Sums of products: of what was sent anywhere (a), there (t), and what came (c). */
  #aa = 0;
  #at = 0;
  #tt = 0;
  #ac = 0;
  #tc = 0;

  /** Sessions that this gateway has sent, to any executor. */
  get sent(): number {
    return this.#sent;
  }

  noteSent(): void {
    this.#sent += 1;
  }

  /** @param came Sessions at an executor that answers which this gateway did not send; below zero where more have ended. */
  learn(came: number, { there, anywhere }: SentSince): void {
    if (anywhere === 0) return;
    const kept = 1 - 1 / REMEMBERED_ANSWERS;
    this.#aa = this.#aa * kept + anywhere * anywhere;
    this.#at = this.#at * kept + anywhere * there;
    this.#tt = this.#tt * kept + there * there;
    this.#ac = this.#ac * kept + anywhere * came;
    this.#tc = this.#tc * kept + there * came;
  }

  /** How many have come; what ends, or is on its way when figures are made, never makes an executor count with less than it told of. */
  expected({ there, anywhere }: SentSince): number {
    const determinant = this.#aa * this.#tt - this.#at * this.#at;
    // Where the two always went together they cannot be told apart.
    if (determinant <= SMALLEST_SHARE * this.#aa * this.#tt) return this.#aa === 0 ? 0 : Math.max(0, this.#ac / this.#aa) * anywhere;
    const ofAnywhere = (this.#ac * this.#tt - this.#tc * this.#at) / determinant;
    const ofThere = (this.#tc * this.#aa - this.#ac * this.#at) / determinant;
    return Math.max(0, ofAnywhere) * anywhere + Math.max(0, ofThere) * there;
  }
}
