/** Placement: on which executor a new session goes. */

/** What is known of an executor that may take a session. */
export interface Candidate {
  labels: readonly string[];
  /** Sessions with a kernel, those just sent there included. */
  kernels: number;
  maxSessions: number;
  /** Of the last minute, for each processor. */
  load: number;
  memoryAvailableBytes: number;
  memoryTotalBytes: number;
}

/** Below this share of free memory an executor gets a session only where no other has more. */
const LITTLE_MEMORY_SHARE = 0.05;
/**
 * Of so many the best is taken. Every gateway knows figures of a moment ago: if each took the best of all, all would take the same one.
 * @see https://www.eecs.harvard.edu/~michaelm/postscripts/handbook2001.pdf, The Power of Two Random Choices
 */
const CHOICES = 3;

/**
 * The executor for a session.
 * @param requires Labels that it must have.
 * @returns undefined where none has the labels.
 */
export function place<T extends Candidate>(candidates: readonly T[], requires: readonly string[], random = Math.random): T | undefined {
  const fitting = candidates.filter(({ labels }) => requires.every((label) => labels.includes(label)));
  const withRoom = fitting.filter((candidate) => candidate.kernels < candidate.maxSessions);
  const withMemory = withRoom.filter((candidate) => memoryShare(candidate) > LITTLE_MEMORY_SHARE);
  const [choice] = [withMemory, withRoom, fitting].filter((list) => list.length > 0);
  if (choice === undefined) return undefined;
  const picked = sample(choice, CHOICES, random);
  const usualFill = picked.reduce((sum, each) => sum + fillOf(each), 0) / picked.length;
  return picked.reduce((best, each) => (weightOf(each, usualFill) < weightOf(best, usualFill) ? each : best));
}

/** How full an executor is beside others: its sessions against theirs, its load and its memory. */
function weightOf(candidate: Candidate, usualFill: number): number {
  // One session more than others have is much among few and little among many: else the figures' noise would decide while all are empty.
  const sessions = fillOf(candidate) / (usualFill + 1 / candidate.maxSessions);
  return sessions + Math.min(candidate.load, 2) / 2 + (1 - memoryShare(candidate));
}

function fillOf({ kernels, maxSessions }: Candidate): number {
  return kernels / maxSessions;
}

function memoryShare({ memoryAvailableBytes, memoryTotalBytes }: Candidate): number {
  return memoryTotalBytes === 0 ? 1 : memoryAvailableBytes / memoryTotalBytes;
}

/** So many of a list, each at most once, in random order. */
function sample<T>(list: readonly T[], count: number, random: () => number): T[] {
  const rest = [...list];
  return Array.from({ length: Math.min(count, list.length) }, () => rest.splice(Math.floor(random() * rest.length), 1)).flat();
}
