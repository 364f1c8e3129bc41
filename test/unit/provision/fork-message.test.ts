/** Lines of the fork server: what is understood, and that nothing else does harm. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readForkMessage } from "../../../src/provision/fork-message.ts";

test.each([
  ['{"prepared":true,"pid":7}', { kind: "prepared" }],
  ['{"forked":"a","pid":7}', { kind: "forked", id: "a", pid: 7 }],
  ['{"ready":"a"}', { kind: "ready", id: "a" }],
  ['{"fork_failed":"a","error":"no memory"}', { kind: "fork_failed", id: "a", error: "no memory" }],
  ['{"exited":7,"exit_code":3,"signal":null}', { kind: "exited", pid: 7, exit: { exitCode: 3, signal: null } }],
  ['{"exited":7,"exit_code":null,"signal":"SIGKILL"}', { kind: "exited", pid: 7, exit: { exitCode: null, signal: "SIGKILL" } }],
])("%s is understood", (line, message) => {
  expect(readForkMessage(line)).toEqual(message);
});

test.each([
  "",
  "null",
  "1",
  '"x"',
  "[]",
  "{",
  '{"forked":"a"}',
  '{"forked":"a","pid":0}',
  '{"forked":"a","pid":-1}',
  '{"exited":1}',
  '{"exited":"7"}',
])("%j is none", (line) => {
  expect(readForkMessage(line)).toBeUndefined();
});

test("nothing that anybody writes makes it throw, and no process is told of that signals must not reach", () => {
  const names = fc.constantFrom("prepared", "forked", "ready", "fork_failed", "exited", "pid", "exit_code", "signal", "error");
  const line = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(names, fc.jsonValue()).map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(line, (text) => {
      const message = readForkMessage(text);
      if (message !== undefined && "pid" in message) expect(message.pid).toBeGreaterThan(1);
    }),
  );
});
