/** The kinds of code that the load is made of, each with what it must give where nothing happens to it. */
import type { EndReason } from "../../src/api/index.ts";
import type { Random } from "./random.ts";

/** An execution as it is asked for. */
export interface Plan {
  id: string;
  kind: Kind;
  code: string;
  /** All that the code writes where nothing ends it early. */
  text: string;
  /** How it may end where its kernel lives. */
  ends: EndReason[];
  timeout?: number;
  /** The client interrupts it when it has written something. */
  isInterrupted: boolean;
}

type Kind = (typeof KINDS)[number];

const KINDS = [
  "quick",
  "quick",
  "slow",
  "slow",
  "many lines",
  "child",
  "error",
  "ends its kernel",
  "endless",
  "deaf",
  "interrupted",
] as const;

/**
 * Each run of code leaves its mark outside of all that is tested: a line in a file when it begins and one when it is through, with the kernel's pid and a
 * count that lives in the session's variables.
 */
const MARKS = `
import os, time
n = globals().get("n", 0) + 1
def mark(word):
    descriptor = os.open("marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} ID {os.getpid()} {n}\\n".encode())
    os.close(descriptor)
mark("begin")
`;
const END = `
mark("end")
["ID", n]
`;

/** The next execution of a session. */
export function planExecution(random: Random, id: string): Plan {
  const kind = random.pick(KINDS);
  const count = random.between(1, 30);
  const lines = numbers(count);
  const plan = (body: string, text: string, ends: EndReason[], more: Partial<Plan> = {}): Plan => {
    const code = (MARKS + body + END).replaceAll("ID", id);
    return { id, kind, code, text, ends, isInterrupted: false, ...more };
  };
  switch (kind) {
    case "quick":
      return plan(`for i in range(${count}): print(i)`, lines, ["completed"]);
    case "slow":
      return plan(`for i in range(${count}):\n    print(i, flush=True)\n    time.sleep(${random.between(10, 80) / 1000})`, lines, [
        "completed",
      ]);
    case "many lines":
      return plan(`for i in range(${count * 1000}): print(i)`, numbers(count * 1000), ["completed"]);
    case "child":
      return plan(`import subprocess\nsubprocess.run(["seq", "0", "${count - 1}"], check=True)`, lines, ["completed"]);
    case "error":
      return plan(`for i in range(${count}): print(i)\nraise ValueError("ID")`, lines, ["error"]);
    case "ends its kernel":
      return plan(random.oneIn(2) ? "os._exit(7)" : "os.kill(os.getpid(), 11)\ntime.sleep(60)", "", ["kernel_died"]);
    case "endless":
      return plan("while True: time.sleep(0.01)", "", ["timed_out"], { timeout: 0.3 });
    case "deaf":
      return plan("while True:\n    try: time.sleep(10)\n    except BaseException: pass", "", ["timed_out"], { timeout: 0.3 });
    case "interrupted":
      return plan("print('begun', flush=True)\nwhile True: time.sleep(0.01)", "begun\n", ["interrupted", "cancelled"], {
        isInterrupted: true,
      });
  }
}

function numbers(count: number): string {
  return Array.from({ length: count }, (_, index) => `${index}\n`).join("");
}
