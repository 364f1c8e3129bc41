import { describe, expect, test } from "vitest";
import { Addresses, parseAddressSource } from "../../../src/gateway/addresses.ts";

describe("what stands for executors", () => {
  test.each([
    ["http://one:8000", { kind: "static", origin: "http://one:8000" }],
    ["https://one.example/", { kind: "static", origin: "https://one.example" }],
    ["dns:tasks.executor:8000", { kind: "dns", name: "tasks.executor", port: 8000, scheme: "http" }],
    ["dns+https:executors.example:443", { kind: "dns", name: "executors.example", port: 443, scheme: "https" }],
  ])("%s", (text, source) => {
    expect(parseAddressSource(text)).toEqual(source);
  });

  test.each(["one:8000", "ftp://one", "dns:one", "http://one/path", "http://user:secret@one", ""])("%j does not", (text) => {
    expect(() => parseAddressSource(text)).toThrow(/is no executor/);
  });
});

describe("addresses", () => {
  const sources = ["http://fixed:1", "dns+https:many:2", "dns:few:3"].map(parseAddressSource);
  const refusal = (code: string): Error => Object.assign(new Error(code), { code });

  test("are those of the list, and all that DNS knows for a name, each once", async () => {
    const known: Record<string, string[]> = { many: ["10.0.0.1", "fd00::1", "10.0.0.1"], few: ["10.0.0.1"] };
    expect(await new Addresses([...sources, ...sources], async (name) => known[name]!).find()).toEqual([
      { origin: "http://fixed:1" },
      { origin: "https://10.0.0.1:2", serverName: "many" },
      { origin: "https://[fd00::1]:2", serverName: "many" },
      { origin: "http://10.0.0.1:3", serverName: "few" },
    ]);
  });

  test("of a name that nobody has any more are gone; of one that DNS has no word of now they stay, and the others change", async () => {
    let answers: Record<string, string[] | Error> = { many: ["10.0.0.1"], few: refusal("EAI_AGAIN") };
    const addresses = new Addresses(sources, async (name) => {
      const answer = answers[name]!;
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const origins = async () => (await addresses.find()).map(({ origin }) => origin);
    expect(await origins()).toEqual(["http://fixed:1", "https://10.0.0.1:2"]);
    answers = { many: refusal("EAI_AGAIN"), few: ["10.0.0.2"] };
    expect(await origins()).toEqual(["http://fixed:1", "https://10.0.0.1:2", "http://10.0.0.2:3"]);
    answers = { many: refusal("ENOTFOUND"), few: refusal("ETIMEOUT") };
    expect(await origins()).toEqual(["http://fixed:1", "http://10.0.0.2:3"]);
    answers = { many: refusal("EAI_AGAIN"), few: refusal("ENODATA") };
    expect(await origins()).toEqual(["http://fixed:1"]);
  });

  test("do not wait for a name whose answer is late: it is asked for once, and counts when it has come", async () => {
    const asked: string[] = [];
    let answerLate = (_addresses: string[]): void => undefined;
    const late = new Promise<string[]>((resolve) => (answerLate = resolve));
    const answers = { many: [late, new Promise<never>(() => undefined)], few: [] as Promise<string[]>[] };
    const resolve = async (name: string): Promise<string[]> => {
      asked.push(name);
      return answers[name as "many" | "few"].shift() ?? ["10.0.0.2"];
    };
    const addresses = new Addresses(sources, resolve, 1);
    const origins = async () => (await addresses.find()).map(({ origin }) => origin);
    expect(await origins()).toEqual(["http://fixed:1", "http://10.0.0.2:3"]);
    expect(await origins()).toEqual(["http://fixed:1", "http://10.0.0.2:3"]);
    expect(asked).toEqual(["many", "few", "few"]);
    answerLate(["10.0.0.1"]);
    await late;
    expect(await origins()).toEqual(["http://fixed:1", "https://10.0.0.1:2", "http://10.0.0.2:3"]);
    expect(await origins()).toEqual(["http://fixed:1", "https://10.0.0.1:2", "http://10.0.0.2:3"]);
  });
});
