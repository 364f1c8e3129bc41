import { describe, expect, test } from "vitest";
import { Rendezvous, seedOf } from "../../../src/gateway/rendezvous.ts";

const ids = Array.from({ length: 3000 }, (_, index) => `session-${index}`);
const names = (count: number) => Array.from({ length: count }, (_, index) => `executor-${index}`);
const over = (members: string[]) => {
  const homes = new Rendezvous(members.map((name) => ({ seed: seedOf(name) })));
  return {
    homeOf: (id: string) => homes.homeOf(seedOf(id))?.seed.name,
    wouldBeHome: (id: string, name: string) => homes.wouldBeHome(seedOf(id), seedOf(name)),
  };
};

describe("the home of an id", () => {
  test("is the same however the members are listed", () => {
    const one = over(names(20));
    const other = over(names(20).toReversed());
    for (const id of ids) expect(one.homeOf(id)).toBe(other.homeOf(id));
  });

  test("is made from a name's hash alone, so that gateways of other releases find the same", () => {
    expect(seedOf("executor-1 \u00fc")).toEqual({ name: "executor-1 \u00fc", high: -964138014, low: 1326980813 });
  });

  test("is nowhere where there is nobody", () => {
    expect(over([]).homeOf("x")).toBeUndefined();
  });

  test("is spread evenly", () => {
    const counts = new Map<string, number>();
    const members = over(names(10));
    for (const id of ids) counts.set(String(members.homeOf(id)), (counts.get(String(members.homeOf(id))) ?? 0) + 1);
    expect(counts.size).toBe(10);
    expect(Math.min(...counts.values())).toBeGreaterThan(225);
    expect(Math.max(...counts.values())).toBeLessThan(375);
  });

  test("moves only to a member that comes, and only from one that goes", () => {
    const before = over(names(10));
    const after = over(names(11));
    const moved = ids.filter((id) => before.homeOf(id) !== after.homeOf(id));
    expect(new Set(moved.map((id) => after.homeOf(id)))).toEqual(new Set(["executor-10"]));
    expect(moved.length).toBeGreaterThan(150);
    expect(moved.length).toBeLessThan(400);
  });

  test("is told for one that has come, or is gone, without the others", () => {
    const [few, many] = [over(names(10)), over(names(11))];
    for (const id of ids.slice(0, 500)) {
      const isHome = many.homeOf(id) === "executor-10";
      expect([few.wouldBeHome(id, "executor-10"), many.wouldBeHome(id, "executor-10")]).toEqual([isHome, isHome]);
    }
  });
});
