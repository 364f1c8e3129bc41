import { describe, expect, test } from "vitest";
import { findAddresses, parseAddressSource } from "../../../src/gateway/addresses.ts";

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
  const sources = [parseAddressSource("http://fixed:1"), parseAddressSource("dns+https:many:2")];

  test("are those of the list, and all that DNS knows for a name", async () => {
    const found = await findAddresses(sources, async () => ["10.0.0.1", "fd00::1", "10.0.0.1"]);
    expect(found).toEqual([
      { origin: "http://fixed:1" },
      { origin: "https://10.0.0.1:2", serverName: "many" },
      { origin: "https://[fd00::1]:2", serverName: "many" },
    ]);
  });

  test("are fewer where nobody has the name, and not known where DNS does not answer", async () => {
    const failing = (code: string) => async () => Promise.reject(Object.assign(new Error(code), { code }));
    expect(await findAddresses(sources, failing("ENOTFOUND"))).toEqual([{ origin: "http://fixed:1" }]);
    expect(await findAddresses(sources, failing("EAI_AGAIN"))).toBeUndefined();
  });
});
