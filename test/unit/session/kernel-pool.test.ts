/** The pool: kernels wait, connected; one is bound to a session, and another is started in its place. */
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelPool } from "../../../src/session/kernel-pool.ts";
import type { KernelLaunchRequest } from "../../../src/provision/provisioner.ts";
import { FakeKernels } from "../../helpers/fake-kernels.ts";

const BLANK: KernelLaunchRequest = { kernelName: "python3", sessionId: "", cwd: "/", env: {}, logFile: "/dev/null" };
const REQUEST: KernelLaunchRequest = { kernelName: "python3", sessionId: "s", cwd: "/tmp", env: { A: "1" }, logFile: "/tmp/log" };

let kernels: FakeKernels;
let bound: Record<string, unknown>[];
let isCurrent: boolean;
let pool: KernelPool;

beforeEach(() => {
  kernels = new FakeKernels();
  bound = [];
  isCurrent = true;
  kernels.onLaunch = ({ kernel }) => {
    kernel.on("taskweaver_bind_request", (request) => {
      // Before it waits it is bound to nobody, so that it forgets its first executions then.
      if (request.message.content["cwd"] !== BLANK.cwd) bound.push(request.message.content);
      request.reply({ status: "ok" });
    });
  };
  pool = makePool();
});
afterEach(() => pool.close());

function makePool(maxSize = 4): KernelPool {
  return new KernelPool({
    start: kernels.starter(),
    suits: (request) => request.kernelName === "python3",
    isCurrent: () => isCurrent,
    blank: BLANK,
    maxSize,
    logger: pino({ level: "silent" }),
  });
}

async function filled(size: number): Promise<void> {
  await vi.waitFor(() => expect(pool.size).toBe(size), { timeout: 5000, interval: 5 });
}

describe("a session that asks for a kernel", () => {
  it("gets the one that waits, bound to its directory, environment and log", async () => {
    pool.fill();
    await filled(1);
    const kernel = await pool.acquire(REQUEST);
    expect(kernel.process.pid).toBe(kernels.launches[0]?.process.pid);
    expect(bound).toEqual([{ cwd: "/tmp", env: { A: "1" }, log_file: "/tmp/log" }]);
    await filled(1);
    expect(kernels.launches).toHaveLength(2);
  });

  it("gets one that is started for it where none waits", async () => {
    const kernel = await pool.acquire(REQUEST);
    expect(kernels.launches[0]?.request).toEqual(REQUEST);
    expect(kernel.process.pid).toBe(kernels.launches[0]?.process.pid);
    expect(bound).toEqual([]);
  });

  it("gets one that is started for it where no waiting one suits", async () => {
    pool.fill();
    await filled(1);
    await pool.acquire({ ...REQUEST, kernelName: "bash" });
    expect(kernels.launches.at(-1)?.request.kernelName).toBe("bash");
    expect(pool.size).toBe(1);
  });

  it("is not given a kernel that died while it waited", async () => {
    pool.fill();
    await filled(1);
    kernels.launches[0]?.process.die({ signal: "SIGKILL" });
    const kernel = await pool.acquire(REQUEST);
    expect(kernel.process.pid).not.toBe(kernels.launches[0]?.process.pid);
  });

  it("is not given a kernel that is out of date, which is ended", async () => {
    pool.fill();
    await filled(1);
    isCurrent = false;
    const kernel = await pool.acquire(REQUEST);
    expect(kernel.process.pid).not.toBe(kernels.launches[0]?.process.pid);
    expect(kernels.launches[0]?.process.alive).toBe(false);
  });

  it("is not given a kernel that became out of date while it started", async () => {
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const launched = kernels.onLaunch;
    kernels.onLaunch = async (launch) => {
      await launched(launch);
      if (launch === kernels.launches[0]) await held;
    };
    pool.fill();
    const first = await kernels.nth(1);
    pool.renew();
    goOn();
    await first.process.exited;
    await filled(1);
    expect((await pool.acquire(REQUEST)).process.pid).not.toBe(first.process.pid);
  });

  it("is not given a kernel that refuses to be bound, which is ended", async () => {
    kernels.onLaunch = ({ kernel }) => {
      kernel.on("taskweaver_bind_request", (request) => {
        request.reply(request.message.content["cwd"] === BLANK.cwd ? { status: "ok" } : { status: "error", evalue: "no such directory" });
      });
    };
    pool.fill();
    await filled(1);
    const kernel = await pool.acquire(REQUEST);
    expect(kernels.launches[0]?.process.alive).toBe(false);
    expect(kernel.process.pid).toBe(kernels.launches[1]?.process.pid);
  });
});

describe("the pool", () => {
  it("grows with demand, up to its limit", async () => {
    pool = makePool(3);
    for (let claim = 0; claim < 10; claim += 1) await pool.acquire(REQUEST);
    await filled(3);
  });

  it("falls again, one by one, when demand is over, and then has nothing to do any more", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      pool = makePool(3);
      for (let claim = 0; claim < 3; claim += 1) {
        await pool.acquire(REQUEST);
        await vi.advanceTimersByTimeAsync(10_000);
      }
      await filled(3);
      await vi.advanceTimersByTimeAsync(260_000);
      expect(pool.size).toBe(3);
      await vi.advanceTimersByTimeAsync(15_000);
      expect(pool.size).toBe(2);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(pool.size).toBe(1);
      expect(kernels.launches.filter(({ process }) => !process.alive)).toHaveLength(2);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is refilled without a pause between the kernels, also while sessions take them", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      let goOn = (): void => undefined;
      const held = new Promise<void>((resolve) => (goOn = resolve));
      const launched = kernels.onLaunch;
      kernels.onLaunch = async (launch) => {
        await launched(launch);
        if (launch === kernels.launches[1]) await held;
      };
      await pool.acquire(REQUEST);
      await vi.advanceTimersByTimeAsync(100);
      await kernels.nth(2);
      await pool.acquire(REQUEST);
      expect(pool.size).toBe(0);
      goOn();
      await filled(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(kernels.launches).toHaveLength(4);
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps no kernel where its size is 0", async () => {
    pool = makePool(0);
    pool.fill();
    await pool.acquire(REQUEST);
    expect(kernels.launches).toHaveLength(1);
    expect(pool.size).toBe(0);
  });

  it("lets a kernel forget its first executions before it waits", async () => {
    pool.fill();
    await filled(1);
    const types = kernels.last.kernel.requests.map(({ message }) => message.header.msg_type);
    expect(types).toContain("execute_request");
    expect(types.at(-1)).toBe("taskweaver_bind_request");
    expect(kernels.last.kernel.requests.at(-1)?.message.content).toEqual({ cwd: BLANK.cwd, env: {} });
  });

  it("that cannot be started is tried less and less often, and the log says when", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const lines: Record<string, unknown>[] = [];
    const failing = new KernelPool({
      start: () => Promise.reject(new Error("no")),
      suits: () => true,
      blank: BLANK,
      maxSize: 4,
      logger: pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    });
    try {
      failing.fill();
      await vi.advanceTimersByTimeAsync(36_000);
      expect(lines.map(({ failures, nextTryMs, reason }) => [failures, nextTryMs, reason])).toEqual([
        [1, 5_000, "no"],
        [2, 10_000, "no"],
        [3, 20_000, "no"],
        [4, 40_000, "no"],
      ]);
    } finally {
      vi.useRealTimers();
      await failing.close();
    }
  });

  it("ends a kernel that fails in its first executions", async () => {
    kernels.onLaunch = ({ kernel }) => {
      kernel.on("taskweaver_bind_request", (request) => void request.reply({ status: "error", evalue: "no" }));
    };
    pool.fill();
    const launch = await kernels.nth(1);
    await launch.process.exited;
    expect(pool.size).toBe(0);
  });

  it("ends stale kernels and starts others when it is renewed", async () => {
    pool.fill();
    await filled(1);
    pool.renew();
    await vi.waitFor(() => expect(kernels.launches[0]?.process.alive).toBe(false));
    await filled(1);
  });

  it("leaves no kernel when it is closed, not even one that was just starting", async () => {
    pool.fill();
    await filled(1);
    await pool.acquire(REQUEST);
    await pool.close();
    await vi.waitFor(() => expect(kernels.launches.slice(1).every((launch) => !launch.process.alive)).toBe(true));
    expect(pool.size).toBe(0);
  });
});
