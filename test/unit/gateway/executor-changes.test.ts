/** Whose "no" is believed while executors come and go. */
import { expect, test } from "vitest";
import { Executor } from "../../../src/gateway/executor.ts";
import { ExecutorChanges } from "../../../src/gateway/executor-changes.ts";
import { Rendezvous, seedOf } from "../../../src/gateway/rendezvous.ts";

const executors = Array.from({ length: 5 }, (_, index) => executorOf(`e-${index}`, index));
const [gone, come, empty, ...kept] = executors as [Executor, Executor, Executor, ...Executor[]];
const ids = Array.from({ length: 200 }, (_, index) => `session-${index}`);

test("before a gateway has told the homes once, all may know; then only the home", () => {
  const { changes, whoElse } = start();
  for (const each of kept) changes.note(each, true, true);
  expect(changes.isKnown).toBe(false);
  for (const id of ids) expect(whoElse(id, kept)).toEqual(kept);
  changes.noteTold(changes.version);
  for (const id of ids) expect(whoElse(id, kept)).toEqual([]);
});

test("where one came or went, all may know of ids whose home it is or was, until they were told and a while has passed", () => {
  const world = start();
  const { changes, whoElse } = world;
  for (const each of [gone, ...kept]) changes.note(each, true, true);
  changes.noteTold(changes.version);
  const before = new Rendezvous([gone, ...kept]);
  changes.note(gone, false, false);
  const moved = ids.filter((id) => before.homeOf(seedOf(id)) === gone);
  expect(moved.length).toBeGreaterThan(20);
  expect(ids.filter((id) => whoElse(id, kept).length > 0)).toEqual(moved);
  changes.noteTold(changes.version);
  expect(ids.filter((id) => whoElse(id, kept).length > 0)).toEqual(moved);
  world.now += 10_001;
  expect(ids.filter((id) => whoElse(id, kept).length > 0)).toEqual([]);
});

test("one that brings sessions is asked for every id until they were told; one without only for those that are its own now", () => {
  const { changes, whoElse } = start();
  for (const each of kept) changes.note(each, true, true);
  changes.noteTold(changes.version);
  changes.note(empty, true, false);
  changes.note(come, true, false);
  const all = [come, empty, ...kept];
  const homes = new Rendezvous(all);
  for (const id of ids) {
    const home = homes.homeOf(seedOf(id));
    expect(whoElse(id, all)).toEqual(home === come || home === empty ? all : [come]);
  }
});

test("a round that was begun before a change does not settle it", () => {
  const { changes, whoElse } = start();
  for (const each of kept) changes.note(each, true, true);
  const { version } = changes;
  changes.note(come, true, true);
  changes.noteTold(version);
  expect(changes.untold().map(({ executor }) => executor)).toEqual([come]);
  expect(ids.every((id) => whoElse(id, [come, ...kept]).includes(come))).toBe(true);
});

function start() {
  const world = { now: 100_000 };
  const changes = new ExecutorChanges(10_000, () => world.now);
  const whoElse = (id: string, all: Executor[]) => changes.whoElse(seedOf(id), new Rendezvous(all), changes.unsettled(), all);
  return Object.assign(world, { changes, whoElse });
}

function executorOf(instance: string, index: number): Executor {
  const sessions = index === 2 ? 0 : 3;
  return new Executor({ address: { origin: `http://${instance}:1` }, instance, figures: { status: "ready", sessions, executions: 0 } });
}
