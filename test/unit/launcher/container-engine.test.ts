/** What is made of the engine's answers: which image is run, and what is said where none can be. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ContainerEngine } from "../../../src/launcher/container-engine.ts";
import { engineFault, startFault } from "../../../src/launcher/container-faults.ts";
import { findImage } from "../../../src/launcher/container-image.ts";

const FAKE_DOCKER = fileURLToPath(new URL("../../fixtures/engines/fake-docker.sh", import.meta.url));
const OURS = '{"taskweaver.executor":"1"}';
const REMOTE = "taskweavercontainers/taskweaver-executor:latest";

describe("the engine's answers", () => {
  let folder: string;
  let engine: ContainerEngine;
  let progress: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "taskweaver-engine-"));
    engine = new ContainerEngine(FAKE_DOCKER, { PATH: process.env["PATH"], FAKE_DOCKER: folder });
    progress = [];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const answers = async (files: Record<string, string>) => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  };
  const find = (image: string) => findImage(engine, { image, onProgress: (line) => progress.push(line) });

  describe("about images", () => {
    it("an image that is here is run, and nothing is pulled", async () => {
      await answers({ [`image-inspect-${flat(REMOTE)}`]: OURS });
      await expect(find(REMOTE)).resolves.toBe(REMOTE);
      expect(await readFile(join(folder, "calls"), "utf8")).not.toContain("pull");
      expect(progress).toEqual([]);
    });

    it("one of our name that is absent is stood in for by the one that was built here", async () => {
      await answers({ "image-inspect-taskweaver-executor_latest": OURS });
      await expect(find(REMOTE)).resolves.toBe("taskweaver-executor:latest");
      expect(progress).toEqual([`Using the local image taskweaver-executor:latest, since ${REMOTE} is not on this machine`]);
    });

    it("one of another name or version is not", async () => {
      await answers({ "image-inspect-taskweaver-executor_latest": OURS, "pull.error": "no route" });
      await expect(find("lab/python-tools:3")).rejects.toThrow(
        /lab\/python-tools:3 is not on this machine and could not be pulled \(no route\)/,
      );
      await expect(find("lab/taskweaver-executor:0.0.9")).rejects.toThrow(/could not be pulled/);
    });

    it("one that is nowhere here is pulled, with progress", async () => {
      const layers =
        "latest: Pulling from x\n0123456789ab: Pulling fs layer\n0123456789ac: Pulling fs layer\n0123456789ab: Pull complete\n0123456789ac: Pull complete\n";
      await answers({ pull: layers, pulled: OURS });
      await expect(find(REMOTE)).resolves.toBe(REMOTE);
      expect(progress).toEqual([
        `Pulling the image ${REMOTE}`,
        `Pulling the image ${REMOTE}: 1 of 2 layers`,
        `Pulling the image ${REMOTE}: 2 of 2 layers`,
      ]);
    });

    it("one that cannot be pulled has the command that builds it in the sentence", async () => {
      await answers({ "pull.error": "Error response from daemon: pull access denied for x, repository does not exist." });
      await expect(find(REMOTE)).rejects.toThrow(
        `The image ${REMOTE} is not on this machine and could not be pulled (pull access denied for x, repository does not exist). ` +
          "Build it in the project's folder: docker build -f Dockerfile.executor -t taskweaver-executor:latest .",
      );
    });

    it.each([
      ["null", /is no execution server \(it lacks the label taskweaver.executor\)/],
      ['{"taskweaver.executor":"2"}', /was built for another version of this program/],
    ])("one with the labels %s is refused", async (labels, sentence) => {
      await answers({ "image-inspect-python_3": labels });
      await expect(find("python:3")).rejects.toThrow(sentence);
    });
  });

  describe("about itself", () => {
    it("tell the machine's memory, and whether it runs as the user", async () => {
      await answers({
        info: '{"MemTotal":1000,"SecurityOptions":["name=seccomp,profile=default","name=rootless"]}',
        context: "unix:///run/docker.sock",
      });
      await expect(engine.info()).resolves.toEqual({ memoryBytes: 1000, isRootless: true });
    });

    it("are a fault where it only complains, whatever its exit code", async () => {
      const complaint = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
      await answers({ info: JSON.stringify({ ServerErrors: [complaint] }) });
      await expect(engine.info()).rejects.toThrow(/The container engine does not answer/);
      await answers({ "info.error": complaint });
      await expect(engine.info()).rejects.toThrow(/The container engine does not answer/);
    });

    it.each(["tcp://build-server:2375", "ssh://me@build-server"])("are a fault where it is on another machine: %s", async (context) => {
      await answers({ info: "{}", context });
      await expect(engine.info()).rejects.toThrow("The container engine is on another machine (build-server): start the server there");
    });

    it.each(["tcp://127.0.0.1:2375", "npipe:////./pipe/docker_engine", "tcp://[::1]:2375"])(
      "are fine where it is on this one: %s",
      async (context) => {
        await answers({ info: "{}", context });
        await expect(engine.info()).resolves.toEqual({ memoryBytes: 0, isRootless: false });
      },
    );
  });
});

describe("the engine's complaints", () => {
  const asked = {
    port: 8000,
    workDir: "/srv/agent",
    container: { image: "i", network: "bridge", memory: "1k", cpus: 9, processes: 1024, gpus: "all" } as const,
  };

  it.each([
    [
      "docker: Error response from daemon: driver failed: Bind for 127.0.0.1:8000 failed: port is already allocated.",
      /Port 8000 on 127.0.0.1 is in use/,
    ],
    ["listen tcp4 127.0.0.1:8000: bind: address already in use", /Port 8000 on 127.0.0.1 is in use/],
    [
      'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
      /gives out no GPUs .*NVIDIA Container Toolkit/,
    ],
    [
      "docker: Error response from daemon: Minimum memory limit allowed is 6MB.",
      /container_memory \(1k\) .*: Minimum memory limit allowed is 6MB\.$/,
    ],
    ['invalid argument "lots" for "-m, --memory" flag: invalid size: \'lots\'', /container_memory/],
    ["Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available.", /container_cpus \(9\)/],
    ['invalid mount config for type "bind": bind source path does not exist: /srv/agent', /cannot see the work directory \/srv\/agent/],
    ["docker: Error response from daemon: something new\nSee 'docker run --help'.", /^The container engine failed: something new\.$/],
  ])("%s", (complaint, sentence) => {
    expect(startFault(complaint, asked).message).toMatch(sentence);
  });

  it("about the user's rights are not taken for a missing engine", () => {
    const complaint = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
    expect(engineFault(complaint).message).toMatch(/does not let this user in: sudo usermod -aG docker/);
  });
});

function flat(image: string): string {
  return image.replaceAll(/[/:]/g, "_");
}
