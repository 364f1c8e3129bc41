/** What a gateway adds: to `1+1`, to memory while a large file passes, and in questions to find a session among few and many executors. */
import type { Bench } from "../bench.ts";
import { LightExecutor } from "../light-executor.ts";
import { formatNumber, p50, type PartResult } from "../result.ts";
import { byTurns, inFlight, sessionIds, timedEach } from "../sampling.ts";
import { TaskweaverGateway } from "../taskweaver-gateway.ts";
import { TaskweaverServer, warmUp } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";
import { upAndDown } from "./transfer.ts";

const CODE = "1+1";
const BURST = 20;
const REACH_ADDED_MS = 1.5;
const FEW = 3;
const MANY = 300;
const SESSIONS = 300;
const AT_ONCE = 8;

/** Beside the executor itself, side by side. */
export const gateway: Part = {
  name: "gateway",
  run: async (bench) => {
    const passing = await bench.using(TaskweaverServer.start(bench, "gateway-executor"), (executor) =>
      bench.using(TaskweaverGateway.start(bench, "gateway", [executor.url]), (before) => pass(bench, executor, before)),
    );
    const finding = [await find(bench, FEW), await find(bench, MANY)];
    return {
      comparisons: passing.comparisons ?? [],
      goals: [...(passing.goals ?? []), findingGoal(finding)],
      tables: [...(passing.tables ?? []), findingTable(finding)],
    };
  },
};

async function pass(bench: Bench, executor: TaskweaverServer, before: TaskweaverGateway): Promise<PartResult> {
  await warmUp(before.api);
  await before.api.create("passing");
  const [ours, direct] = await byTurns(bench.count(25, 10), [
    { who: "through a gateway", sample: () => timedEach(BURST, () => before.api.execute("passing", CODE)) },
    { who: "the executor itself", sample: () => timedEach(BURST, () => executor.api.execute("passing", CODE)) },
  ]);
  if (!ours || !direct) throw new Error("There are no samples.");
  const addedMs = p50(ours) - p50(direct);
  const file = await upAndDown(bench, before, { title: "A large file through a gateway", whose: "the gateway's memory" });
  return {
    comparisons: [{ what: `\`${CODE}\` through a gateway`, unit: "ms", ours, others: [direct] }],
    goals: [
      {
        what: `\`${CODE}\` through a gateway, p50`,
        reach: `at most ${REACH_ADDED_MS} ms more than from the executor itself`,
        measured: `${formatNumber(addedMs)} ms more, ${formatNumber(p50(ours) / p50(direct))} times`,
        isReached: addedMs <= REACH_ADDED_MS,
      },
      ...(file.goals ?? []),
    ],
    tables: file.tables ?? [],
  };
}

/** Questions asked for each session. */
interface Finding {
  executors: number;
  /** By the gateway that made it, to make it. */
  made: number;
  /** By a gateway that never heard of it, for its first request; the most that one took. */
  first: number;
  firstMost: number;
  again: number;
}

/** Two gateways, executors that count. */
async function find(bench: Bench, count: number): Promise<Finding> {
  return bench.using(startLight(count), ({ executors }) => {
    const urls = executors.map(({ url }) => url);
    return bench.using(TaskweaverGateway.start(bench, "gateway-making", urls), (making) =>
      bench.using(TaskweaverGateway.start(bench, "gateway-finding", urls), async (finding) => {
        const ids = sessionIds("found", SESSIONS);
        const asked = (): number => executors.reduce((sum, { questions }) => sum + questions, 0);
        const questionsOf = async (action: () => Promise<unknown>): Promise<number> => {
          const before = asked();
          await action();
          return asked() - before;
        };
        const made = await questionsOf(() => inFlight(AT_ONCE, ids, (id) => making.api.create(id)));
        const first: number[] = [];
        for (const id of ids) first.push(await questionsOf(() => finding.api.look(id)));
        const again = await questionsOf(() => inFlight(AT_ONCE, ids, (id) => finding.api.look(id)));
        return {
          executors: count,
          made: made / SESSIONS,
          first: first.reduce((sum, each) => sum + each, 0) / SESSIONS,
          firstMost: Math.max(...first),
          again: again / SESSIONS,
        };
      }),
    );
  });
}

async function startLight(count: number): Promise<{ executors: LightExecutor[]; close(): Promise<void> }> {
  const executors = await Promise.all(Array.from({ length: count }, (_, index) => LightExecutor.start(index)));
  return {
    executors,
    close: async () => {
      await Promise.all(executors.map((each) => each.close()));
    },
  };
}

function findingGoal(finding: readonly Finding[]): NonNullable<PartResult["goals"]>[number] {
  return {
    what: `a session found by a gateway that never heard of it, among ${finding.map(({ executors }) => executors).join(" and ")} executors`,
    reach: "one question more at most, while no executor comes or goes",
    measured: finding.map(({ firstMost, again }) => `${firstMost} at most, ${formatNumber(again)} from then on`).join("; "),
    isReached: finding.every(({ firstMost, again }) => firstMost <= 1 && again === 0),
  };
}

function findingTable(finding: readonly Finding[]): NonNullable<PartResult["tables"]>[number] {
  return {
    title: "Questions to executors, for each session",
    head: ["executors", "to make it", "to find it the first time", "most of these", "from then on"],
    rows: finding.map(({ executors, made, first, firstMost, again }) => [executors, made, first, firstMost, again].map(formatNumber)),
  };
}
