/** A session over fake kernels in a temporary folder, for unit tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { whenDone } from "./when-done.ts";
import type { Execution } from "../../src/session/execution.ts";
import type { StoredResult } from "../../src/session/result.ts";
import { Session } from "../../src/session/session.ts";
import type { NewExecution, SessionOptions } from "../../src/session/session-options.ts";
import { SessionStore, type SessionStoreOptions } from "../../src/session/session-store.ts";
import { createWorkspace } from "../../src/session/workspace.ts";
import type { FakeRequest } from "./fake-request.ts";
import { FakeKernels } from "./fake-kernels.ts";

export const SILENT = pino({ level: "silent" });

/** A folder for one test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tw-test-"));
  whenDone(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** A session whose first kernel runs; closed when the test is over. */
export async function openSession(
  over: Partial<Omit<SessionOptions, "limits">> & { limits?: Partial<SessionOptions["limits"]>; kernels?: FakeKernels } = {},
): Promise<{ session: Session; kernels: FakeKernels }> {
  const fake = await newSession(over);
  await fake.session.open();
  return fake;
}

/** As {@link openSession}, not yet opened. */
export async function newSession(over: Parameters<typeof openSession>[0] = {}): Promise<{ session: Session; kernels: FakeKernels }> {
  const { limits, kernels = new FakeKernels(), ...rest } = over;
  const session = new Session({
    id: "s1",
    kernelName: "python3",
    env: {},
    workspace: await createWorkspace(await temporaryFolder(), "s1", undefined),
    idleTimeoutMs: null,
    limits: { maxOutputBytes: 1000, maxSpilledBytes: 10_000, maxQueue: 100, executionTimeoutMs: null, ...limits },
    streamRetentionMs: 60_000,
    interruptGraceMs: 60_000,
    envId: "server",
    startKernel: kernels.starter(),
    admitKernel: () => {},
    logger: SILENT,
    ...rest,
  });
  whenDone(() => session.close("The test is over."));
  return { session, kernels };
}

/** A store over fake kernels; closed when the test is over. */
export async function openStore(
  over: Partial<SessionStoreOptions> & { kernels?: FakeKernels } = {},
): Promise<{ store: SessionStore; kernels: FakeKernels; workDirectory: string }> {
  const { kernels = new FakeKernels(), ...rest } = over;
  const workDirectory = await temporaryFolder();
  const store = new SessionStore({
    workDirectory,
    maxSessions: 100,
    maxQueue: 100,
    output: { maxOutputBytes: 1000, maxSpilledBytes: 10_000 },
    executionTimeoutMs: null,
    idleTimeoutMs: null,
    streamRetentionMs: 60_000,
    interruptGraceMs: 60_000,
    removeFilesAfterMs: null,
    envId: "server",
    startKernel: kernels.starter(),
    logger: SILENT,
    ...rest,
  });
  whenDone(() => store.close());
  return { store, kernels, workDirectory };
}

/** Queues code under an id. */
export function run(session: Session, executionId: string, over: Partial<NewExecution> = {}): Execution {
  return session.execute({ executionId, code: executionId, timeoutMs: undefined, allowInput: false, ...over });
}

/** The result of an execution, once it is done and as long as it is in memory. */
export async function resultOf(execution: Execution): Promise<StoredResult> {
  await execution.done;
  const { result } = execution;
  if (result === undefined) throw new Error(`the result of ${execution.id} is not in memory`);
  return result;
}

/** The newest kernel begins executions but answers none by itself; a test takes them one by one. */
export function hold(kernels: FakeKernels): { next: () => Promise<FakeRequest> } {
  const { kernel } = kernels.last;
  kernel.onExecute((request) => void request.begin());
  return { next: () => kernel.nextRequest("execute_request") };
}

/** What a promise rejects with, watched from now on; undefined where it does not. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Lets everything that can go on go on, up to what waits for a timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
