/** Completion: what the kernel offers, and nothing where it cannot be asked now. */
import { expect, test } from "vitest";
import { completeAt } from "../../../src/session/completion.ts";
import type { LiveKernel } from "../../../src/session/live-kernel.ts";
import { FakeKernel } from "../../helpers/fake-kernel.ts";

const request = { code: "df.he", cursor_pos: 5 };
const nothing = { matches: [], cursor_start: 5, cursor_end: 5 };

async function kernelThat(answers: Record<string, unknown>): Promise<{ live: LiveKernel; fake: FakeKernel }> {
  const fake = new FakeKernel();
  const client = await fake.connect();
  fake.on("complete_request", (asked) => void asked.answer(answers));
  return { live: { client } as LiveKernel, fake };
}

test("the kernel's matches and positions are passed on", async () => {
  const { live, fake } = await kernelThat({ status: "ok", matches: ["head"], cursor_start: 3, cursor_end: 5, metadata: {} });
  expect(await completeAt(live, request)).toEqual({ matches: ["head"], cursor_start: 3, cursor_end: 5 });
  expect((await fake.nextRequest("complete_request")).content).toEqual(request);
});

test("without a kernel that could answer now there is nothing", async () => {
  expect(await completeAt(undefined, request)).toEqual(nothing);
});

test("an error of the kernel's gives nothing", async () => {
  const { live } = await kernelThat({ status: "error", ename: "E", evalue: "", traceback: [] });
  expect(await completeAt(live, request)).toEqual(nothing);
});

test("a kernel that ends meanwhile gives nothing", async () => {
  const { live, fake } = await kernelThat({});
  fake.silence();
  const completion = completeAt(live, request);
  await fake.nextRequest("complete_request");
  live.client.close();
  expect(await completion).toEqual(nothing);
});
