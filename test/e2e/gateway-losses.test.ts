/** What becomes of sessions when executors and gateways are lost, slow, drained or replaced: counted, with real processes. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ExecutionClient, type ExecutionEvent } from "../../src/client/index.ts";
import { Balancer } from "../helpers/balancer.ts";
import { CLIENT_KEY, GatewayCluster, type ClusterProcess } from "../helpers/gateway-cluster.ts";
import { SessionLoad } from "../helpers/session-load.ts";

const DRAINS = ["--drain-timeout", "60", "--shutdown-grace", "10"];
/** Runs until a file says that it may end. */
const UNTIL_GO =
  "import os, time\nprint('begun', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.02)\nprint('went on')\n'finished'";

let cluster: GatewayCluster;

beforeEach(async () => {
  cluster = await GatewayCluster.start([DRAINS, DRAINS, DRAINS], 2);
});
afterEach(() => cluster?.[Symbol.asyncDispose]());

describe("an executor that is killed", () => {
  it("is told of within 5 s, its streams end with a result that says so, and other sessions notice nothing", async () => {
    const [one, two] = clients();
    const ids = await makeOnEach(one);
    const [lost, ...kept] = ids;
    const victim = await cluster.executorOf(lost!);
    const events: ExecutionEvent[] = [];
    const begun = vi.fn();
    const streaming = one.session(lost!).executeCode(UNTIL_GO, {
      executionId: "streamed",
      onEvent: (event) => {
        events.push(event);
        if (event.event === "output") begun();
      },
    });
    const waiting = two.executeCode(kept[0]!, UNTIL_GO, { executionId: "kept" });
    void waiting.then(() => undefined);
    void streaming.then(
      () => undefined,
      () => undefined,
    );
    await vi.waitFor(() => expect(begun).toHaveBeenCalled(), 20_000);
    await vi.waitFor(async () => expect((await two.getExecution(kept[0]!, "kept")).state).toBe("running"), 20_000);
    await two.getSessionInfo(lost!);
    await victim.end("SIGKILL");
    const killedAt = performance.now();
    const told = await Promise.all([one, two].map((client) => refusalOf(client, lost!)));
    expect(told).toEqual([
      { status: 410, code: "executor_lost" },
      { status: 410, code: "executor_lost" },
    ]);
    expect(performance.now() - killedAt).toBeLessThan(5_000);
    const result = await streaming;
    expect(result).toMatchObject({ is_success: false, reason: "executor_lost", state_kept: false });
    expect(result.error).toMatch(/executor .* lost/);
    expect(events.map(({ event }) => event)).toEqual(["output", "result", "done"]);
    await two.session(kept[0]!).uploadFile("go", "");
    expect(await waiting).toMatchObject({ output: "finished", reason: "completed" });
    for (const id of kept) expect((await one.executeCode(id, "1 + 1")).output).toBe(2);
    // The id is free for a new session, which is somewhere else.
    expect((await one.start(lost, { ifExists: "error" })).isReused).toBe(false);
    expect((await two.executeCode(lost!, "6 * 7")).output).toBe(42);
  });
});

describe("an executor that is cut off for a moment", () => {
  it("loses nothing: streams go on where they were, and code that was waited for runs once", async () => {
    const [one] = clients();
    const ids = await makeOnEach(one);
    const id = ids[0]!;
    const executor = await cluster.executorOf(id);
    let seen = "";
    const streaming = one.executeCode(id, `${UNTIL_GO}\nruns = globals().get('runs', 0) + 1`, { onStdout: (text) => void (seen += text) });
    void streaming.then(
      () => undefined,
      () => undefined,
    );
    await vi.waitFor(() => expect(seen).toBe("begun\n"), 20_000);
    executor.process.kill("SIGSTOP");
    // Asked while it is slow, answered when it is not.
    const asked = one.getSessionInfo(id);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    executor.process.kill("SIGCONT");
    expect(await asked).toMatchObject({ session_id: id, status: "running" });
    await one.session(id).uploadFile("go", "");
    await streaming;
    expect(seen).toBe("begun\nwent on\n");
    expect((await one.executeCode(id, "runs")).output).toBe(1);
  });
});

describe("an executor that drains", () => {
  it("takes no new sessions, lets those it has live and finish, says what remains, and ends", async () => {
    const [one, two] = clients();
    const ids = await makeOnEach(one);
    const id = ids[0]!;
    const executor = await cluster.executorOf(id);
    const running = one.executeCode(id, UNTIL_GO);
    void running.then(() => undefined);
    await vi.waitFor(async () => expect((await one.listExecutions(id))[0]?.state).toBe("running"), 20_000);
    const ended = executor.end("SIGTERM");
    await vi.waitFor(async () => {
      const response = await fetch(`${executor.url}/api/v1/ready`);
      expect([response.status, await response.json()]).toMatchObject([
        503,
        { status: "draining", sessions: 1, executions: 1, drains_for: expect.any(Number) },
      ]);
    }, 20_000);
    await vi.waitFor(async () => {
      const text = await (await fetch(`${cluster.gateways[0]!.url}/metrics`, { headers: { "x-api-key": CLIENT_KEY } })).text();
      expect(text).toContain('taskweaver_gateway_executors{state="draining"} 1');
    }, 20_000);
    for (let index = 0; index < 6; index += 1) await one.start(`new-${index}`);
    expect((await executor.client.listSessions()).map(({ session_id }) => session_id)).toEqual([id]);
    // As with engines whose DNS forgets what is about to end.
    const late = await cluster.startGateway(
      undefined,
      cluster.executors.filter((each) => each !== executor),
    );
    expect(await late.client.getSessionInfo(id)).toMatchObject({ session_id: id });
    expect((await late.client.listSessions()).map(({ session_id }) => session_id)).toEqual(expect.arrayContaining(ids));
    await two.session(id).uploadFile("go", "");
    expect(await running).toMatchObject({ output: "finished", reason: "completed" });
    for (const client of [two, late.client]) expect((await client.executeCode(id, "'still here'")).output).toBe("still here");
    await two.stop(id);
    await ended;
    expect(executor.process.exitCode).toBe(0);
    await expect(two.getSessionInfo(id)).rejects.toMatchObject({ code: "session_not_found" });
  });
});

describe("a rolling update", () => {
  it("of all gateways and executors under load loses no execution that was accepted", async () => {
    await using balancer = await Balancer.start(cluster.gateways.map(({ port }) => ({ host: "127.0.0.1", port })));
    const load = new SessionLoad(new ExecutionClient({ url: balancer.url, apiKey: CLIENT_KEY, timeoutMs: 60_000, retries: 10 }), 4);
    try {
      for (const index of cluster.gateways.keys()) {
        const { port } = cluster.gateways[index]!;
        await cluster.gateways[index]!.end("SIGTERM");
        cluster.gateways[index] = await cluster.startGateway(port);
        await cluster.settled(3);
        await load.goesOn();
      }
      for (const index of cluster.executors.keys()) {
        const { port } = cluster.executors[index]!;
        await cluster.executors[index]!.end("SIGTERM");
        cluster.executors[index] = await cluster.startExecutor(DRAINS, port);
        await cluster.settled(3);
        await load.goesOn();
      }
    } finally {
      await load.stop();
    }
    expect(load.failed).toEqual([]);
    expect(load.done.length).toBeGreaterThan(25);
  });
});

function clients(): [ExecutionClient, ExecutionClient] {
  return cluster.gateways.map(({ client }) => client) as [ExecutionClient, ExecutionClient];
}

/** Sessions until each executor has one. @returns one of each executor. */
async function makeOnEach(client: ExecutionClient): Promise<string[]> {
  const byExecutor = new Map<ClusterProcess, string>();
  for (let index = 0; byExecutor.size < cluster.executors.length && index < 60; index += 1) {
    const { sessionId } = await client.start(`each-${index}`);
    const executor = await cluster.executorOf(sessionId);
    if (byExecutor.has(executor)) await client.stop(sessionId);
    else byExecutor.set(executor, sessionId);
  }
  expect(byExecutor.size).toBe(cluster.executors.length);
  return [...byExecutor.values()];
}

async function refusalOf(client: ExecutionClient, id: string): Promise<{ status: number; code: string }> {
  try {
    await client.executeCode(id, "1 + 1");
  } catch (error) {
    const { statusCode, code } = error as { statusCode: number; code: string };
    return { status: statusCode, code };
  }
  throw new Error(`${id} answered`);
}
