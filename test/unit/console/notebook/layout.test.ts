/** Which executions have cells, in which order, and what a tab remembers of it. */
import { describe, expect, it } from "vitest";
import { arrange, EMPTY_LAYOUT, readLayout } from "../../../../console/notebook/layout.ts";
import { PageMemory } from "../../../../console/notebook/page-memory.ts";

describe("the order of cells", () => {
  it("is that of the executions where the tab knows nothing", () => {
    expect(arrange(["a", "b", "c"], EMPTY_LAYOUT)).toEqual(["a", "b", "c"]);
  });

  it("is the tab's where it knows some, with all others behind", () => {
    expect(arrange(["a", "b", "c", "d"], { order: ["c", "a"], hidden: ["b"] })).toEqual(["c", "a", "d"]);
  });

  it("leaves out what the server does not know any more", () => {
    expect(arrange(["b"], { order: ["a", "b"], hidden: ["z"] })).toEqual(["b"]);
  });
});

describe("what was kept", () => {
  it("is read back", () => {
    expect(readLayout('{"order":["a"],"hidden":[]}')).toEqual({ order: ["a"], hidden: [] });
  });

  it.each([null, "", "{", "null", "[]", '{"order":1,"hidden":[]}', '{"order":["a"]}'])("counts as nothing where it is %j", (text) => {
    expect(readLayout(text)).toEqual(EMPTY_LAYOUT);
  });
});

describe("a tab's memory", () => {
  const store = () => {
    const values = new Map<string, string>();
    return { getItem: (name: string) => values.get(name) ?? null, setItem: (name: string, value: string) => void values.set(name, value) };
  };

  it("holds order, hidden executions and the draft, for each session its own", () => {
    const kept = store();
    const memory = new PageMemory(kept, "s1");
    memory.keep(["a", "b"], "x = 1");
    memory.hide("c");
    const again = new PageMemory(kept, "s1");
    expect(again.layout).toEqual({ order: ["a", "b"], hidden: ["c"] });
    expect(again.draft).toBe("x = 1");
    expect(new PageMemory(kept, "s2").layout).toEqual(EMPTY_LAYOUT);
  });

  it("lets a hidden execution come back", () => {
    const memory = new PageMemory(store(), "s1");
    memory.hide("a");
    memory.unhide("a");
    expect(memory.layout.hidden).toEqual([]);
    memory.hide("a");
    memory.keep(["a"], "");
    expect(memory.layout.hidden).toEqual([]);
  });

  it("does without a store that is full", () => {
    const full = {
      getItem: () => null,
      setItem: () => {
        throw new Error("quota");
      },
    };
    const memory = new PageMemory(full, "s1");
    memory.keep(["a"], "");
    expect(memory.layout.order).toEqual(["a"]);
  });
});
