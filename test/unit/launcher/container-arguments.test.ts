/** The arguments of `docker run`: walls, limits, the one folder and the one way in. */
import { describe, expect, it } from "vitest";
import { resolveClientSettings, type FlagValues } from "../../../src/config.ts";
import { containerName, memoryLimits, runArguments } from "../../../src/launcher/container-arguments.ts";

const GIB = 1024 ** 3;

describe("the arguments of a container", () => {
  it("drop everything that a server does not need", () => {
    const text = argumentsOf({}).join(" ");
    for (const wall of [
      "--cap-drop ALL",
      "--security-opt no-new-privileges",
      "--read-only",
      "--user 1000:1000",
      "--rm",
      "--pids-limit 1024",
      "--memory 3g --memory-swap 3g",
      "--publish 127.0.0.1:8000:8000",
      "--mount type=bind,source=/srv/agent,target=/app/workspace",
    ]) {
      expect(text).toContain(wall);
    }
    expect(text).not.toMatch(/--privileged|--gpus|--cpus|--network|docker\.sock/);
  });

  it("carry the limits that are set", () => {
    const text = argumentsOf({ container_processes: 64, container_cpus: 1.5, container_gpus: "device=0" }).join(" ");
    expect(text).toContain("--pids-limit 64");
    expect(text).toContain("--cpus 1.5");
    expect(text).toContain("--gpus device=0");
  });

  it("name variables without their values", () => {
    expect(argumentsOf({}).join(" ")).toContain("--env TASKWEAVER_SERVER_API_KEY taskweaver-executor:latest server");
  });

  it("publish no port where there is no network, and serve on a socket in the folder", () => {
    const text = argumentsOf({ container_network: "none" }).join(" ");
    expect(text).toContain("--network none");
    expect(text).toContain("--socket /app/workspace/server.sock");
    expect(text).not.toContain("--publish");
  });

  it("publish on the loopback address that the client will call", () => {
    expect(argumentsOf({ host: "127.0.0.2", port: 8123 })).toContain("127.0.0.2:8123:8000");
    expect(argumentsOf({ host: "::1" })).toContain("[::1]:8000:8000");
    expect(argumentsOf({ host: "0.0.0.0" })).toContain("127.0.0.1:8000:8000");
    expect(() => argumentsOf({ host: "192.168.1.5" })).toThrow(/192.168.1.5 is not its loopback/);
  });

  it("refuse a socket outside of the folder", () => {
    expect(argumentsOf({ socket: "/srv/agent/in/http" })).toContain("/app/workspace/in/http");
    expect(() => argumentsOf({ socket: "/elsewhere/http" })).toThrow(/\/elsewhere\/http.* must lie in the work directory \/srv\/agent/);
    expect(() => argumentsOf({ socket: "/srv/agents/http" })).toThrow(/must lie in the work directory/);
  });

  it("quote a folder whose name would end the mount", () => {
    expect(argumentsOf({ work_dir: '/a,b"c' })).toContain('type=bind,"source=/a,b""c",target=/app/workspace');
  });

  it("name the container after its folder and port, so that there is one of each", () => {
    const name = (flags: FlagValues) => containerName(settingsOf(flags));
    expect(name({})).toMatch(/^taskweaver-executor-8000-[0-9a-f]{12}$/);
    expect(name({})).toBe(name({}));
    expect(new Set([name({}), name({ port: 8001 }), name({ work_dir: "/other" }), name({ container_network: "none" })]).size).toBe(4);
  });
});

describe("the limits of memory", () => {
  it.each([
    [null, 16 * GIB, { memory: `${12 * GIB}b`, folderBytes: 3 * GIB }],
    ["4g", 16 * GIB, { memory: "4g", folderBytes: GIB }],
    ["512MB", 16 * GIB, { memory: "512MB", folderBytes: 128 * 1024 ** 2 }],
    ["0", 16 * GIB, { memory: "0", folderBytes: 4 * GIB }],
    [null, 0, { memory: "0", folderBytes: GIB }],
    ["lots", 16 * GIB, { memory: "lots", folderBytes: 4 * GIB }],
  ])("of %s on a machine with %d bytes", (memory, machineBytes, limits) => {
    expect(memoryLimits(memory, machineBytes)).toEqual(limits);
  });
});

function argumentsOf(flags: FlagValues): string[] {
  const settings = settingsOf(flags);
  return runArguments({
    settings,
    container: settings.container!,
    image: "taskweaver-executor:latest",
    user: "1000:1000",
    limits: { memory: "3g", folderBytes: 1 },
    variables: ["TASKWEAVER_SERVER_API_KEY"],
    startId: "one",
    unusedGraceSeconds: undefined,
  });
}

function settingsOf(flags: FlagValues) {
  return resolveClientSettings({ container: true, work_dir: "/srv/agent", ...flags }, {}, null);
}
