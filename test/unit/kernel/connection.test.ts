/** The addresses of a kernel. */
import { expect, test } from "vitest";
import { CHANNELS, channelAddress, createIpcConnection, MAX_SOCKET_PATH_BYTES } from "../../../src/kernel/connection.ts";

test("a connection over Unix sockets has one address a channel, and a key of its own", () => {
  const connection = createIpcConnection("/run/kernels", "k1");
  const addresses = CHANNELS.map((channel) => channelAddress(connection, channel));
  expect(new Set(addresses).size).toBe(CHANNELS.length);
  expect(addresses[0]).toBe("ipc:///run/kernels/k1-1");
  expect(connection.key).not.toBe(createIpcConnection("/run/kernels", "k1").key);
});

test("a connection over TCP has its ports", () => {
  const connection = { ...createIpcConnection("/run", "k"), transport: "tcp" as const, ip: "127.0.0.1", iopub_port: 5555 };
  expect(channelAddress(connection, "iopub")).toBe("tcp://127.0.0.1:5555");
});

test("a socket path longer than the platform allows is refused, counted in bytes", () => {
  const directory = "/é";
  const name = "x".repeat(MAX_SOCKET_PATH_BYTES - Buffer.byteLength(`${directory}/-5`));
  expect(createIpcConnection(directory, name).ip).toBe(`${directory}/${name}`);
  expect(() => createIpcConnection(directory, `${name}x`)).toThrow(RangeError);
});
