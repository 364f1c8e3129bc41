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

/** How one is chosen. */
export interface PlacementOptions<T> {
  /** Labels that it must have. */
  requires: readonly string[];
  /** Whether one is to be thought of at all; all by default. */
  isOpen?: (candidate: T) => boolean;
  /** @default Math.random */
  random?: () => number;
}

/** Below this share of free memory an executor gets a session only where no other has more. */
const LITTLE_MEMORY_SHARE = 0.05;
/**
 * Of so many the best is taken. Every gateway knows figures of a moment ago: if each took the best of all, all would take the same one.
 * @see https://www.eecs.harvard.edu/~michaelm/postscripts/handbook2001.pdf, The Power of Two Random Choices
 */
const CHOICES = 3;
/** Among many, so many are looked at by chance before all are. */
const GLANCES = 24;

/**
 * The executor for a session.
 * @returns undefined where none is open that has the labels.
 */
export function place<T extends Candidate>(
  candidates: readonly T[],
  { requires, isOpen = () => true, random = Math.random }: PlacementOptions<T>,
): T | undefined {
  const fits = (candidate: T): boolean => isOpen(candidate) && requires.every((label) => candidate.labels.includes(label));
  const picked =
    glance(candidates, (each) => fits(each) && hasRoom(each) && hasMemory(each), random) ?? pick(candidates.filter(fits), random);
  const usualFill = picked.reduce((sum, each) => sum + fillOf(each), 0) / picked.length;
  return picked.reduce<T | undefined>(
    (best, each) => (best === undefined || weightOf(each, usualFill) < weightOf(best, usualFill) ? each : best),
    undefined,
  );
}

/** Picks without a look at all of them: of thousands most will do. */
function glance<T extends Candidate>(candidates: readonly T[], isGood: (candidate: T) => boolean, random: () => number): T[] | undefined {
  if (candidates.length <= GLANCES) return undefined;
  const picked = new Set<T>();
  for (let count = 0; count < GLANCES; count += 1) {
    const candidate = candidates[Math.floor(random() * candidates.length)];
    if (candidate !== undefined && isGood(candidate)) picked.add(candidate);
    if (picked.size === CHOICES) return [...picked];
  }
  return undefined;
}

/** Picks among those with room and memory, or with room, or among all. */
function pick<T extends Candidate>(fitting: readonly T[], random: () => number): T[] {
  const withRoom = fitting.filter(hasRoom);
  const rest = [withRoom.filter(hasMemory), withRoom, [...fitting]].find((list) => list.length > 0) ?? [];
  return Array.from({ length: Math.min(CHOICES, rest.length) }, () => rest.splice(Math.floor(random() * rest.length), 1)).flat();
}

/** How full an executor is beside others: its sessions against theirs, its load and its memory. */
function weightOf(candidate: Candidate, usualFill: number): number {
  // One session more than others have is much among few and little among many: else the figures' noise would decide while all are empty.
  const sessions = fillOf(candidate) / (usualFill + 1 / candidate.maxSessions);
  return sessions + Math.min(candidate.load, 2) / 2 + (1 - memoryShare(candidate));
}

function hasRoom({ kernels, maxSessions }: Candidate): boolean {
  return kernels < maxSessions;
}

function hasMemory(candidate: Candidate): boolean {
  return memoryShare(candidate) > LITTLE_MEMORY_SHARE;
}

function fillOf({ kernels, maxSessions }: Candidate): number {
  return kernels / maxSessions;
}

function memoryShare({ memoryAvailableBytes, memoryTotalBytes }: Candidate): number {
  return memoryTotalBytes === 0 ? 1 : memoryAvailableBytes / memoryTotalBytes;
}
