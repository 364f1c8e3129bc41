/** Ten thousand executors and a million sessions in a simulation: the gateways' own code, over calls that are counted instead of sent. */
import { simulate, type SimulationFigures, type SimulationOptions } from "../placement/simulation.ts";
import { formatNumber, type PartResult } from "../result.ts";
import type { Part } from "./part.ts";

const FULL: SimulationOptions = {
  seed: 1,
  executors: 10_000,
  sessions: 1_000_000,
  gateways: 3,
  fillSeconds: 200,
  livelySeconds: 120,
  turnover: 0.001,
  // Each machine is started anew about once in a day.
  changesPerSecond: 0.1,
};
const QUICK: SimulationOptions = { ...FULL, executors: 1_000, sessions: 50_000, fillSeconds: 50, livelySeconds: 60, turnover: 0.005 };

const REACH_SPREAD = 1.3;
const REACH_QUESTIONS = 10;

/** Spread, questions and messages. */
export const placement: Part = {
  name: "placement",
  run: async (bench) => {
    const options = bench.options.isQuick ? QUICK : FULL;
    return resultOf(options, await simulate({ ...options, onProgress: (line) => bench.progress(line) }));
  },
};

function resultOf(
  { executors, sessions, gateways, changesPerSecond, livelySeconds }: SimulationOptions,
  figures: SimulationFigures,
): PartResult {
  const { spread, questions, perSecond, tellingPerChange, faults, memoryMib, homeMicroseconds, roundMs } = figures;
  const where = `${formatNumber(sessions)} sessions on ${formatNumber(executors)} executors, simulated`;
  const most = Math.max(...Object.values(questions).map(({ lively }) => lively));
  const worst = Math.max(spread.full, spread.end);
  return {
    goals: [
      {
        what: `${where}: the fullest executor`,
        reach: `at most ${REACH_SPREAD} times the mean`,
        measured: `${formatNumber(spread.full)} when all have come, ${formatNumber(spread.end)} after ${livelySeconds} s of coming and going`,
        isReached: worst <= REACH_SPREAD,
      },
      {
        what: "the same: sessions that are there and not found, or that are there twice",
        reach: "none",
        measured: String(faults),
        isReached: faults === 0,
      },
      {
        what: "the same: questions for each session made, found or ended",
        reach: `at most 1 to make and to find while no executor comes or goes; at most ${REACH_QUESTIONS} on average else`,
        measured: `${formatNumber(questions.make.calm)} and ${formatNumber(questions.find.calm)}; ${formatNumber(most)}`,
        isReached: questions.make.calm <= 1 && questions.find.calm <= 1 && most <= REACH_QUESTIONS,
      },
    ],
    tables: [
      {
        title: `${where}, ${gateways} gateways, ${formatNumber(changesPerSecond)} executors lost and as many come in a second`,
        head: ["what", "figure"],
        rows: [
          ...Object.entries(questions).map(([kind, each]) => [
            `questions to ${kind} a session: calm, lively, most`,
            [each.calm, each.lively, each.most].map(formatNumber).join(", "),
          ]),
          ["questions how executors are, of each gateway in a second", formatNumber(perSecond.polls)],
          ["messages that tell homes, of each gateway in a second", formatNumber(perSecond.telling)],
          ["messages that tell homes, of each gateway for each executor that comes or goes", formatNumber(tellingPerChange)],
          ["processor time of each gateway for a round that tells homes, ms", formatNumber(roundMs)],
          ["time to find the home of an id, microseconds", formatNumber(homeMicroseconds)],
          ["memory of a gateway, MiB of heap", formatNumber(memoryMib)],
        ],
      },
    ],
  };
}
