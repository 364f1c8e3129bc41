/** What executors are likely to have got from other gateways since they were last asked: between two answers nobody tells. */

/** Of so many answers a mean is made, in the end: the latest count most. */
const REMEMBERED_ANSWERS = 1_000;

/**
 * Learns from each answer of an executor how many sessions came there that this gateway did not send. Time is counted in sessions that this
 * gateway sends anywhere: others are about as busy as it is, and while nothing is sent nothing has to be known.
 */
export class UnseenSessions {
  #sent = 0;
  #unseen = 0;
  #waited = 0;

  /** Sessions that this gateway has sent, to any executor. */
  get sent(): number {
    return this.#sent;
  }

  noteSent(): void {
    this.#sent += 1;
  }

  /**
   * An executor answered.
   * @param count Sessions there that were neither in its last answer nor sent by this gateway; below zero where more have ended.
   * @param sentThen {@link sent} at its last answer.
   */
  learn(count: number, sentThen: number): void {
    const waited = this.#sent - sentThen;
    if (waited === 0) return;
    const kept = 1 - 1 / REMEMBERED_ANSWERS;
    this.#unseen = this.#unseen * kept + count;
    this.#waited = this.#waited * kept + waited;
  }

  /** How many an executor is likely to have got since its last answer. */
  expected(sentThen: number): number {
    return this.#waited === 0 ? 0 : Math.max(0, this.#unseen / this.#waited) * (this.#sent - sentThen);
  }
}
