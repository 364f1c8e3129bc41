/** The one queue of a session. */
import { expect, test, vi } from "vitest";
import { WorkQueue, type WorkItem } from "../../../src/session/work-queue.ts";

test("items run one at a time, in the order they came", async () => {
  const { queue, order, items } = setUp("a", "b", "c");
  for (const item of items) queue.add(item);
  expect(order).toEqual(["a begins"]);
  await queue.untilIdle();
  expect(order).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("an item's place is counted among those that wait", () => {
  const { queue, items } = setUp("a", "b", "c");
  for (const item of items) queue.add(item);
  expect(items.map((item) => queue.position(item))).toEqual([undefined, 1, 2]);
  expect(queue.length).toBe(2);
});

test("one that is taken out is cancelled with the reason and never runs; one that runs cannot be", async () => {
  const { queue, order, items } = setUp("a", "b", "c");
  const [running, waiting] = items as [WorkItem, WorkItem];
  for (const item of items) queue.add(item);
  expect([queue.remove(waiting, "why"), queue.remove(waiting, "again"), queue.remove(running, "too late")]).toEqual([true, false, false]);
  await queue.untilIdle();
  expect(order).toEqual(["a begins", "b: why", "a ends", "c begins", "c ends"]);
});

test("clearing cancels all that wait, in their order, and leaves what runs", async () => {
  const { queue, order, items } = setUp("a", "b", "c");
  for (const item of items) queue.add(item);
  queue.clear("why");
  expect(queue).toMatchObject({ length: 0, idle: false });
  await queue.untilIdle();
  expect(order).toEqual(["a begins", "b: why", "c: why", "a ends"]);
});

test("it says each time when nothing is left, and who comes then runs at once", async () => {
  const { queue, order, items, onIdle } = setUp("a", "b");
  expect(queue.idle).toBe(true);
  await queue.untilIdle();
  expect(onIdle).not.toHaveBeenCalled();
  queue.add(items[0]!);
  await queue.untilIdle();
  expect(onIdle).toHaveBeenCalledTimes(1);
  queue.add(items[1]!);
  expect(order.at(-1)).toBe("b begins");
  await Promise.all([queue.untilIdle(), queue.untilIdle()]);
  expect(onIdle).toHaveBeenCalledTimes(2);
});

test("what is added while the last item ends is not forgotten", async () => {
  const { queue, order, items } = setUp("a", "b");
  const adding: WorkItem = { run: async () => queue.add(items[1]!), cancel: () => {} };
  queue.add(items[0]!);
  queue.add(adding);
  await queue.untilIdle();
  expect(order.at(-1)).toBe("b ends");
});

function setUp(...names: string[]) {
  const order: string[] = [];
  const onIdle = vi.fn();
  const items = names.map((name): WorkItem => ({
    run: async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ends`);
    },
    cancel: (why) => void order.push(`${name}: ${why}`),
  }));
  return { queue: new WorkQueue(onIdle), order, items, onIdle };
}
