/** The stack of deploy/swarm on a real Swarm of three nodes: deployed, used, a node lost, one drained, all of it updated; counted. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ExecutionClient, type ExecutionEvent, type ExecutionSession } from "../../src/client/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { Balancer } from "../helpers/balancer.ts";
import { buildImage, docker } from "../helpers/container-image.ts";
import { SessionLoad } from "../helpers/session-load.ts";
import { Swarm, whyNoSwarm } from "../helpers/swarm.ts";
import type { SwarmNode } from "../helpers/swarm-node.ts";
import { clientSuite } from "../e2e/client-suite.ts";

const run = promisify(execFile);

const missing = await whyNoSwarm();
/** Nobody else's: other tests build and remove images, too. */
const IMAGE = `taskweaver-executor:swarm-${process.pid}`;
const NEXT_IMAGE = `${IMAGE}-next`;
const EXECUTOR = "taskweaver_executor";
const GATEWAY = "taskweaver_gateway";
const SESSIONS = 60;
const MINUTES_MS = 60_000;
const SETTLES = { timeout: 2 * MINUTES_MS, interval: 200 };

let swarm: Swarm;
let apiKey: string;
let balancer: Balancer;
let folder: string;
/** Sessions that are there, and their nodes. */
const places = new Map<string, SwarmNode>();

describe("a stack on a Swarm", () => {
  beforeEach(({ skip }) => skip(missing !== undefined, missing));

  beforeAll(async () => {
    if (missing !== undefined) return;
    await buildImage(IMAGE);
    folder = await mkdtemp(join(tmpdir(), "taskweaver-stack-"));
    swarm = await Swarm.open(3, IMAGE);
    await byThePage("openssl rand");
    apiKey = (await readFile(join(folder, "client-key"), "utf8")).trim();
    await byThePage("docker stack deploy", { TASKWEAVER_IMAGE: IMAGE });
    balancer = await Balancer.start(swarm.nodes.map(({ address }) => ({ host: address, port: 8080 })));
    await allReady(3);
  }, 8 * MINUTES_MS);

  afterAll(async () => {
    if (missing !== undefined) return;
    await balancer?.[Symbol.asyncDispose]();
    await swarm?.[Symbol.asyncDispose]();
    await docker("rmi", "--no-prune", IMAGE).catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }, MINUTES_MS);

  describe("a client at the gateway of one node", () => {
    clientSuite(async () => ({
      url: missing === undefined ? urlOf(swarm.manager) : "http://localhost",
      apiKey,
      [Symbol.asyncDispose]: async () => undefined,
    }));
  });

  it("spreads 60 sessions over its nodes, and every gateway finds all of them", async () => {
    await startSessions();
    const counts = swarm.nodes.map((node) => [...places.values()].filter((place) => place === node).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(SESSIONS);
    // Where exactly they go, the load and memory of the moment have a say in.
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(SESSIONS / 6);
    for (const node of swarm.nodes) {
      const listed = (await clientOf(node).listSessions()).map(({ session_id }) => session_id);
      expect(listed.filter((id) => places.has(id))).toHaveLength(SESSIONS);
      await eachOf([...places.keys()], async (id) => expect(await clientOf(node).getSessionInfo(id)).toMatchObject({ session_id: id }));
    }
  });

  it("loses the sessions of a node whose power is cut, says so within 5 s, and the others notice nothing", async () => {
    await startSessions();
    const [manager, , victim] = swarm.nodes as [SwarmNode, SwarmNode, SwarmNode];
    const lost = [...places].flatMap(([id, node]) => (node === victim ? [id] : []));
    const kept = [...places].flatMap(([id, node]) => (node === victim ? [] : [id]));
    const events: ExecutionEvent[] = [];
    const streaming = clientOf(manager).executeCode(lost[0]!, "import time\nprint('begun', flush=True)\ntime.sleep(600)", {
      onEvent: (event) => void events.push(event),
    });
    void streaming.then(
      () => undefined,
      () => undefined,
    );
    const steps = new Map<string, number>();
    let slowestMs = 0;
    const failed: unknown[] = [];
    let isOver = false;
    const keepOn = swarm.nodes.slice(0, 2).flatMap((node, turn) =>
      [0, 1].map(async (part) => {
        for (let round = 1; !isOver; round += 1) {
          for (const id of kept.filter((_, index) => index % 4 === turn * 2 + part)) {
            const sentAt = performance.now();
            const result: unknown = await outcomeOf(clientOf(node).executeCode(id, "steps = globals().get('steps', 0) + 1; steps"));
            slowestMs = Math.max(slowestMs, performance.now() - sentAt);
            if ((result as { output?: unknown }).output === round) steps.set(id, round);
            else failed.push([id, round, result]);
          }
        }
      }),
    );
    try {
      await vi.waitUntil(() => events.length > 0 && steps.size > kept.length / 2, SETTLES);
      await victim.cutPower();
      const cutAt = performance.now();
      const told = await Promise.all(lost.slice(1).map((id, index) => refusalOf(clientOf(swarm.nodes[index % 2]!), id)));
      const toldMs = performance.now() - cutAt;
      expect(told).toEqual(lost.slice(1).map(() => ({ status: 410, code: "executor_lost" })));
      expect(await streaming).toMatchObject({ is_success: false, reason: "executor_lost", state_kept: false });
      expect(events.map(({ event }) => event)).toEqual(["output", "result", "done"]);
      // Their ids are free for new sessions, elsewhere.
      expect((await clientOf(manager).start(lost[0], { ifExists: "error" })).isReused).toBe(false);
      expect((await clientOf(swarm.nodes[1]!).executeCode(lost[0]!, "6 * 7")).output).toBe(42);
      // Any request takes its time on a machine that others use, too.
      expect.soft(toldMs).toBeLessThan(5_000 + slowestMs);
      const before = Math.min(...kept.map((id) => steps.get(id) ?? 0));
      await vi.waitUntil(() => kept.every((id) => (steps.get(id) ?? 0) > before), SETTLES);
    } finally {
      isOver = true;
      await Promise.all(keepOn);
      await eachOf([...kept, lost[0]!], (id) => outcomeOf(clientOf(manager).stop(id)));
      places.clear();
    }
    expect(failed).toEqual([]);
    expect(steps.size).toBe(kept.length);
  });

  it("takes a node out without harm: what runs there ends, what lives there lives on, what is new goes elsewhere", async () => {
    const [manager, other] = swarm.nodes as [SwarmNode, SwarmNode];
    const client = clientOf(manager);
    const staying: string[] = [];
    for (let index = 0; staying.length < 2; index += 1) {
      const session = await client.start(`staying-${index}`);
      if ((await placeOf(session)) === other) staying.push(session.sessionId);
      else await session.stop();
    }
    const [executor] = await other.containersOf(EXECUTOR);
    const code = "import os, time\nprint('begun', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.02)\n'finished'";
    const begun = vi.fn();
    const running = client.executeCode(staying[0]!, code, { onStdout: begun });
    void running.then(() => undefined);
    await vi.waitUntil(() => begun.mock.calls.length > 0, SETTLES);
    await byThePage("docker node update --availability", {}, { NODE: other.name });
    await vi.waitUntil(async () => (await metricsOf(manager)).includes('taskweaver_gateway_executors{state="draining"} 1'), SETTLES);
    const fresh = await Promise.all(Array.from({ length: 4 }, (_, index) => client.start(`fresh-${index}`)));
    const found = await Promise.all(fresh.map((session) => placeOf(session)));
    expect(found).toEqual(fresh.map(() => manager));
    await client.session(staying[0]!).uploadFile("go", "");
    expect(await running).toMatchObject({ output: "finished", reason: "completed" });
    for (const id of staying) expect((await client.executeCode(id, "'still here'")).output).toBe("still here");
    expect(await other.containersOf(EXECUTOR)).toEqual([executor]);
    for (const id of staying) await client.stop(id);
    await vi.waitUntil(async () => (await other.containersOf(EXECUTOR)).length === 0, SETTLES);
    expect(await other.docker("inspect", "--format", "{{.State.ExitCode}}", executor!)).toBe("0");
    await eachOf(fresh, (session) => session.stop());
    await swarm.manager.docker("node", "update", "--availability", "active", other.name);
    await allReady(2);
  });

  it(
    "is updated under load, gateways and executors, and no execution is lost",
    async () => {
      await Promise.all(swarm.live.map((node) => node.docker("tag", IMAGE, NEXT_IMAGE)));
      const load = new SessionLoad(new ExecutionClient({ url: balancer.url, apiKey, timeoutMs: 3 * MINUTES_MS, retries: 10 }), 4);
      try {
        await load.goesOn();
        await byThePage("TASKWEAVER_IMAGE=", {}, { "taskweaver-executor:next": NEXT_IMAGE });
        await vi.waitUntil(async () => (await Promise.all([EXECUTOR, GATEWAY].map(updateOf))).every((state) => state === "completed"), {
          ...SETTLES,
          timeout: 4 * MINUTES_MS,
        });
        await load.goesOn();
      } finally {
        await load.stop();
      }
      expect(load.failed).toEqual([]);
      expect(load.done.length).toBeGreaterThan(50);
      // What drained has ended with its last session.
      await vi.waitUntil(async () => {
        const images = await Promise.all(swarm.live.map((node) => node.docker("ps", "--format", "{{.Image}}")));
        return images.every((lines) => lines.split("\n").every((image) => image === NEXT_IMAGE));
      }, SETTLES);
    },
    5 * MINUTES_MS,
  );
});

function urlOf({ address }: SwarmNode): string {
  return `http://${address}:8080`;
}

function clientOf(node: SwarmNode): ExecutionClient {
  return new ExecutionClient({ url: urlOf(node), apiKey, timeoutMs: MINUTES_MS });
}

/** Sixty sessions, by all gateways, where they are not there already; notes which node each is on. */
async function startSessions(): Promise<void> {
  const client = new ExecutionClient({ url: balancer.url, apiKey, timeoutMs: MINUTES_MS });
  const wanted = Array.from({ length: SESSIONS }, (_, index) => `spread-${index}`);
  await eachOf(
    wanted.filter((id) => !places.has(id)),
    async (id) => places.set(id, await placeOf(await client.start(id))),
  );
}

/** The node whose executor's container a session's code sees itself in. */
async function placeOf(session: ExecutionSession): Promise<SwarmNode> {
  const { output } = await session.executeCode("import socket; socket.gethostname()");
  for (const node of swarm.live) if ((await node.containersOf(EXECUTOR)).includes(String(output))) return node;
  throw new Error(`no node has the container ${String(output)}`);
}

/** Waits until every gateway sees so many executors. */
async function allReady(count: number): Promise<void> {
  for (const node of swarm.live) {
    await vi.waitUntil(async () => {
      const answer = await fetch(`${urlOf(node)}/api/v1/ready`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      return answer !== undefined && ((await answer.json()) as { executors: number }).executors === count;
    }, SETTLES);
  }
}

async function metricsOf(node: SwarmNode): Promise<string> {
  return (await fetch(`${urlOf(node)}/metrics`, { headers: { "x-api-key": apiKey } })).text();
}

async function updateOf(service: string): Promise<string> {
  return swarm.manager.docker("service", "inspect", "--format", "{{with .UpdateStatus}}{{.State}}{{end}}", service);
}

async function refusalOf(client: ExecutionClient, id: string): Promise<{ status: number; code: string }> {
  const { statusCode, code } = (await outcomeOf(client.executeCode(id, "1 + 1"))) as { statusCode: number; code: string };
  return { status: statusCode, code };
}

/** What it resolves with, or is rejected with. */
async function outcomeOf(execution: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await execution;
  } catch (error) {
    return error;
  }
}

/** Eight at a time. */
async function eachOf<T>(items: T[], action: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  const work = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await action(item);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

/** Runs the block of commands in docs/swarm.md that begins so, at the manager, in the project's folder. */
async function byThePage(beginning: string, environment: NodeJS.ProcessEnv = {}, names: Record<string, string> = {}): Promise<void> {
  const page = await readFile(join(PACKAGE_ROOT, "docs/swarm.md"), "utf8");
  const blocks = [...page.matchAll(/^( *)```bash\n(.*?)\n\1```/gms)].map(([, indent, block]) =>
    block!.replaceAll(`\n${indent}`, "\n").trim(),
  );
  let block = blocks.find((each) => each.startsWith(beginning));
  if (block === undefined) throw new Error(`docs/swarm.md has no commands that begin with ${beginning}`);
  for (const [name, value] of Object.entries(names)) block = block.replaceAll(name, value);
  const env = { ...process.env, ...environment, DOCKER_HOST: swarm.manager.engine, FOLDER: folder };
  await run("bash", ["-euo", "pipefail", "-c", block.replaceAll("client-key |", '"$FOLDER/client-key" |')], { cwd: PACKAGE_ROOT, env });
}
