/** The event log: everybody reads everything, whenever they come and however slow they are. */
import { describe, expect, test } from "vitest";
import { EventLog, type NumberedEvent } from "../../../src/session/event-log.ts";

describe("a reader", () => {
  test("gets what is there, then what comes, and ends when the log is closed", async () => {
    const log = new EventLog<string>();
    log.append("a");
    const reading = all(log);
    log.append("b");
    await tick();
    log.append("c");
    log.close();
    expect(await reading).toEqual([event(1, "a"), event(2, "b"), event(3, "c")]);
  });

  test("who comes after the end gets the same as one who was there from the start", async () => {
    const log = new EventLog<string>();
    const early = all(log);
    for (const text of ["a", "b", "c"]) log.append(text);
    log.close();
    expect(await all(log)).toEqual(await early);
  });

  test("resumes after the event it names", async () => {
    const log = closedLog("a", "b", "c");
    expect(await all(log, 2)).toEqual([event(3, "c")]);
    expect(await all(log, 3)).toEqual([]);
  });

  test("who names an event that the log never had gets all of it", async () => {
    const log = closedLog("a", "b");
    expect(await all(log, 3)).toEqual([event(1, "a"), event(2, "b")]);
    expect(await all(log, -1)).toHaveLength(2);
  });

  test("many at once each get everything", async () => {
    const log = new EventLog<number>();
    const readings = Array.from({ length: 50 }, () => all(log));
    for (let count = 0; count < 100; count += 1) {
      log.append(count);
      if (count % 7 === 0) await tick();
    }
    log.close();
    for (const events of await Promise.all(readings)) expect(events.map((one) => one.event)).toEqual([...Array(100).keys()]);
  });

  test("ends when its signal aborts, even while it waits, and the log goes on", async () => {
    const log = new EventLog<string>();
    const left = new AbortController();
    const reading = all(log, 0, left.signal);
    log.append("a");
    await tick();
    left.abort();
    expect(await reading).toEqual([event(1, "a")]);
    log.append("b");
    log.close();
    expect(await all(log)).toHaveLength(2);
  });

  test("whose signal was aborted before gets nothing", async () => {
    expect(await all(closedLog("a"), 0, AbortSignal.abort())).toEqual([]);
  });

  test("that stops early leaves nothing behind", async () => {
    const log = closedLog("a", "b");
    for await (const { id } of log.read()) {
      expect(id).toBe(1);
      break;
    }
    expect(await all(log)).toHaveLength(2);
  });
});

describe("the log", () => {
  test("numbers events from 1 and takes none once it is closed", () => {
    const log = new EventLog<string>();
    expect([log.append("a"), log.append("b"), log.lastId]).toEqual([1, 2, 2]);
    log.close();
    expect([log.append("c"), log.lastId]).toEqual([0, 2]);
  });

  test("skips a withdrawn event and uses its number for no other", async () => {
    const log = new EventLog<string>();
    for (const text of ["a", "b", "c"]) log.append(text);
    log.withdraw(2);
    log.close();
    expect(await all(log)).toEqual([event(1, "a"), event(3, "c")]);
  });

  test("withdraws nothing for a number it does not have", async () => {
    const log = new EventLog<string>();
    log.append("a");
    for (const id of [0, -1, 2]) log.withdraw(id);
    log.close();
    expect(await all(log)).toEqual([event(1, "a")]);
  });

  test("once discarded gives nothing to who comes, and all of it to who is under way", async () => {
    const log = new EventLog<string>();
    for (const text of ["a", "b", "c"]) log.append(text);
    const slow = log.read();
    expect((await slow.next()).value).toEqual(event(1, "a"));
    log.discard();
    expect(log.discarded).toBe(true);
    expect(await all(log)).toEqual([]);
    expect([(await slow.next()).value, (await slow.next()).value, (await slow.next()).done]).toEqual([event(2, "b"), event(3, "c"), true]);
  });

  test("discarded while a reader waits ends that reader", async () => {
    const log = new EventLog<string>();
    const reading = all(log);
    await tick();
    log.discard();
    expect(await reading).toEqual([]);
  });
});

function event<T>(id: number, value: T): NumberedEvent<T> {
  return { id, event: value };
}

function closedLog(...texts: string[]): EventLog<string> {
  const log = new EventLog<string>();
  for (const text of texts) log.append(text);
  log.close();
  return log;
}

async function all<T>(log: EventLog<T>, afterId = 0, signal?: AbortSignal): Promise<NumberedEvent<T>[]> {
  const events: NumberedEvent<T>[] = [];
  for await (const one of log.read(afterId, signal)) events.push(one);
  return events;
}

/** Lets everything that can go on go on. */
function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
