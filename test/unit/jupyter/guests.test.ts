/** What other Jupyter clients of a session's kernel get, over a fake kernel. */
import { describe, expect, test } from "vitest";
import type { GuestClient, GuestMessage } from "../../../src/session/guest-clients.ts";
import type { Session } from "../../../src/session/session.ts";
import { hold, openSession, resultOf, run, settle } from "../../helpers/fake-session.ts";

describe("a guest's code", () => {
  test("reaches the kernel in the guest's name, with what plugins need to know, and aborts nothing behind it", async () => {
    const { session, kernels } = await openSession();
    const guest = join(session, "lab");
    guest.execute("m1", "x", { stop_on_error: true, allow_stdin: false, user_expressions: { a: "1" } });
    const request = await kernels.last.kernel.nextRequest("execute_request");
    expect(request.message.header).toMatchObject({ msg_id: "m1", session: "lab", username: "ada" });
    expect(request.content).toMatchObject({ code: "x", stop_on_error: false, user_expressions: { a: "1" } });
    expect(request.metadata).toMatchObject({ cell: "c", taskweaver: { session_id: "s1", execution_index: 1 } });
    await guest.until("m1", "execute_reply");
    await settle();
    expect(session.executions().map(({ state, code }) => [state, code])).toEqual([["done", "x"]]);
    expect(guest.answers("m1")).toEqual(["status", "execute_input", "execute_reply", "status"]);
  });

  test("waits for the session's own, and the session's for it", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const guest = join(session, "lab");
    const own = run(session, "own");
    guest.execute("m1", "guest");
    const after = run(session, "after");
    await settle();
    expect(kernels.last.kernel.requests.filter(({ type }) => type === "execute_request")).toHaveLength(1);
    for (const code of ["own", "guest", "after"]) {
      const request = await next();
      expect(request.code).toBe(code);
      request.reply().idle();
    }
    expect([(await resultOf(own)).reason, (await resultOf(after)).reason]).toEqual(["completed", "completed"]);
  });

  test("is in the queue once only, so that one guest's many cells do not keep the session's out", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const guest = join(session, "lab");
    for (const id of ["m1", "m2", "m3"]) guest.execute(id, id);
    const first = await next();
    run(session, "own");
    first.reply().idle();
    expect((await next()).code).toBe("own");
  });

  test("that is silent or not to be remembered takes its turn and leaves no trace", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const guest = join(session, "lab");
    guest.execute("m1", "inspector", { store_history: false });
    run(session, "own");
    const inspector = await next();
    expect(inspector.metadata).toEqual({ cell: "c" });
    await settle();
    expect(session.executions().map(({ id, state }) => [id, state])).toEqual([["own", "queued"]]);
    inspector.reply().idle();
    expect((await next()).code).toBe("own");
  });

  test("on a subshell waits for nothing", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    run(session, "own");
    await next();
    join(session, "lab").send("shell", "m1", "execute_request", { code: "sub" }, { subshell_id: "s" });
    expect((await next()).code).toBe("sub");
  });

  test("that fails takes along what waits behind it, of this guest alone", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const [guest, other] = [join(session, "lab"), join(session, "other")];
    for (const id of ["m1", "m2", "m3"]) guest.execute(id, id, { stop_on_error: true });
    guest.send("shell", "m4", "complete_request", {});
    other.execute("o1", "other");
    const first = await next();
    first.error("ValueError", "bad").reply({ status: "error", ename: "ValueError", evalue: "bad", traceback: [] }).idle();
    await guest.until("m3", "status");
    expect(["m2", "m3"].map((id) => guest.replies(id))).toEqual([[{ status: "aborted" }], [{ status: "aborted" }]]);
    expect((await next()).code).toBe("other");
    expect((await kernels.last.kernel.nextRequest("complete_request")).message.header.msg_id).toBe("m4");
  });

  test("goes on although its client has left, and the same client's next connection hears the end", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const gone = join(session, "lab");
    for (const id of ["m1", "m2"]) gone.execute(id, id);
    const first = await next();
    gone.client.leave();
    const back = join(session, "lab");
    first.stream("stdout", "still here").reply().idle();
    (await next()).reply().idle();
    await back.until("m2", "execute_reply");
    expect(back.answers("m1")).toEqual(["stream", "execute_reply", "status"]);
    expect(gone.answers("m2")).toEqual([]);
    expect(session.guests.count).toBe(1);
  });
});

describe("the other messages", () => {
  test("follow the code before them as soon as that runs, and not before", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    run(session, "own");
    const own = await next();
    const guest = join(session, "lab");
    guest.execute("m1", "guest");
    guest.send("shell", "m2", "comm_msg", { comm_id: "c", data: {} });
    await settle();
    expect(kernels.last.kernel.requests.some(({ type }) => type === "comm_msg")).toBe(false);
    own.reply().idle();
    await next();
    expect((await kernels.last.kernel.nextRequest("comm_msg")).message.header.msg_id).toBe("m2");
  });

  test("on control and stdin wait for nothing", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const guest = join(session, "lab");
    guest.execute("m1", "guest", { allow_stdin: true });
    const answered = (await next()).input("name?");
    const asked = await guest.until("m1", "input_request");
    guest.send("stdin", "m2", "input_reply", { value: "Ada" }, {}, asked.header);
    guest.send("control", "m3", "debug_request", {});
    expect(await answered).toBe("Ada");
    expect((await kernels.last.kernel.nextRequest("debug_request")).message.channel).toBe("control");
  });

  test("are answered to who asked, while output is for everybody", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const [guest, other] = [join(session, "lab"), join(session, "other")];
    guest.execute("m1", "guest");
    (await next()).stream("stdout", "hi").log("info", "Plugin-x", "ours").reply({}, { output: "1", variables: [] }).idle();
    await guest.until("m1", "execute_reply");
    await settle();
    expect(guest.answers("m1")).toEqual(["status", "execute_input", "stream", "execute_reply", "status"]);
    expect(other.answers("m1")).toEqual(["status", "execute_input", "stream", "status"]);
    expect(guest.messages.find(({ header }) => header.msg_type === "execute_reply")?.metadata).toEqual({});
  });
});

describe("the end of a kernel", () => {
  test("that somebody asked for is told with answers to all that was open, and a fresh start", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const guest = join(session, "lab");
    for (const id of ["m1", "m2"]) guest.execute(id, id);
    await next();
    guest.send("control", "m3", "debug_request", {});
    await kernels.last.kernel.nextRequest("debug_request");
    await session.restart();
    await guest.until("m1", "execute_reply");
    expect(guest.replies("m1")).toMatchObject([{ status: "error", ename: "DeadKernelError" }]);
    expect(guest.replies("m2")).toEqual([{ status: "aborted" }]);
    expect(guest.replies("m3")).toMatchObject([{ status: "error", ename: "DeadKernelError" }]);
    expect(guest.states()).toContain("starting");
    expect(guest.states()).not.toContain("restarting");
    guest.execute("m4", "again");
    expect((await kernels.last.kernel.nextRequest("execute_request")).code).toBe("again");
  });

  test("by itself starts another while guests are there, even where the session has run nothing yet", async () => {
    const { session, kernels } = await openSession();
    const guest = join(session, "lab");
    kernels.last.process.die({ exitCode: 3 });
    await kernels.nth(2);
    await guest.untilState("restarting");
    expect(session.running).toBe(true);
  });

  test("takes along what waited for its turn in the session", async () => {
    const { session, kernels } = await openSession();
    const { next } = hold(kernels);
    const guest = join(session, "lab");
    const own = run(session, "own");
    await next();
    guest.execute("m1", "guest");
    await settle();
    kernels.last.process.die();
    expect((await resultOf(own)).reason).toBe("kernel_died");
    await guest.until("m1", "execute_reply");
    expect(guest.replies("m1")).toEqual([{ status: "aborted" }]);
  });

  test("with its session is told as death, and nobody stays connected", async () => {
    const { session, kernels } = await openSession();
    hold(kernels);
    const guest = join(session, "lab");
    await session.close("over");
    expect(guest.states()).toEqual(["dead"]);
    expect(guest.ends).toEqual(["no_kernel"]);
    expect(session.guests.count).toBe(0);
  });
});

describe("a connection", () => {
  test("is replaced by the next one of the same client", async () => {
    const { session } = await openSession();
    const [first, second] = [join(session, "lab"), join(session, "lab")];
    expect([first.ends, second.ends, session.guests.count]).toEqual([["replaced"], [], 1]);
  });

  test("of a guest starts the kernel of a session that has none", async () => {
    const { session, kernels } = await openSession({ idleTimeoutMs: 1 });
    kernels.last.process.exited.then(
      () => undefined,
      () => undefined,
    );
    await kernels.last.process.exited;
    await settle();
    expect(session.running).toBe(false);
    join(session, "lab").send("shell", "m1", "kernel_info_request", {});
    await kernels.nth(2);
  });
});

/** A guest that remembers what it gets. */
class TestGuest {
  readonly messages: GuestMessage[] = [];
  readonly ends: string[] = [];
  readonly client: GuestClient;
  readonly #name: string;
  readonly #waiting: { matches: (message: GuestMessage) => boolean; resolve: (message: GuestMessage) => void }[] = [];

  constructor(session: Session, name: string) {
    this.#name = name;
    this.client = session.guests.join(name, {
      receive: (message) => {
        this.messages.push(message);
        for (const { matches, resolve } of this.#waiting) if (matches(message)) resolve(message);
      },
      onRoom: () => undefined,
      onEnd: (why) => this.ends.push(why),
    });
  }

  send(
    channel: GuestMessage["channel"],
    id: string,
    type: string,
    content: Record<string, unknown>,
    header: Record<string, unknown> = {},
    parent: GuestMessage["parent_header"] = {},
  ): void {
    const base = { msg_id: id, msg_type: type, session: this.#name, username: "ada", date: "", version: "5.3" };
    const message = { channel, header: { ...base, ...header }, parent_header: parent, metadata: { cell: "c" }, content, buffers: [] };
    this.client.send(message, 100);
  }

  execute(id: string, code: string, content: Record<string, unknown> = {}): void {
    this.send("shell", id, "execute_request", { code, silent: false, ...content });
  }

  /** The types of all messages that answer a request. */
  answers(id: string): string[] {
    return this.messages.filter(({ parent_header }) => parent_header.msg_id === id).map(({ header }) => header.msg_type);
  }

  replies(id: string): Record<string, unknown>[] {
    return this.messages
      .filter(({ parent_header, channel }) => parent_header.msg_id === id && channel !== "iopub")
      .map(({ content }) => content);
  }

  /** The kernel's states that no request has caused. */
  states(): unknown[] {
    return this.messages
      .filter(({ header, parent_header }) => header.msg_type === "status" && parent_header.msg_id === undefined)
      .map(({ content }) => content["execution_state"]);
  }

  until(id: string, type: string): Promise<GuestMessage> {
    return this.#until(({ header, parent_header }) => parent_header.msg_id === id && header.msg_type === type);
  }

  async untilState(state: string): Promise<void> {
    await this.#until(({ content }) => content["execution_state"] === state);
  }

  #until(matches: (message: GuestMessage) => boolean): Promise<GuestMessage> {
    const found = this.messages.find(matches);
    return found === undefined ? new Promise((resolve) => this.#waiting.push({ matches, resolve })) : Promise.resolve(found);
  }
}

function join(session: Session, name: string): TestGuest {
  return new TestGuest(session, name);
}
