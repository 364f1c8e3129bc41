/** What the container engine says when it fails, as sentences about what to do. */
import { messageOf, UsageError } from "../errors.ts";
import type { ContainerSettings } from "../config.ts";

/** What was asked of the engine, for sentences that name it. */
export interface AskedContainer {
  port: number;
  workDir: string;
  container: ContainerSettings;
}

/**
 * The sentence for an engine that cannot be used, or the engine's own words where there is no better one.
 * @param complaint What it wrote, or the error of starting its command.
 */
export function engineFault(complaint: unknown): UsageError {
  const options = { cause: complaint };
  if (complaint instanceof Error && "code" in complaint && complaint.code === "ENOENT") {
    return new UsageError(
      `Container mode needs Docker, and there is no \`docker\` command: ${INSTALL}, or set execution.server.container to false.`,
      options,
    );
  }
  const text = messageOf(complaint);
  if (/permission denied/i.test(text) && /socket|dial unix/i.test(text)) {
    return new UsageError('The container engine does not let this user in: sudo usermod -aG docker "$USER", then log in again.', options);
  }
  if (
    /cannot connect to the docker daemon|is the docker daemon running|error during connect|failed to connect to the docker api/i.test(text)
  ) {
    return new UsageError(`The container engine does not answer: ${START}.`, options);
  }
  return new UsageError(`The container engine failed: ${firstWords(text)}`, options);
}

/**
 * The sentence for a container that the engine would not start.
 * @param complaint What `docker run` wrote.
 */
export function startFault(complaint: string, asked: AskedContainer): UsageError {
  const { container, port, workDir } = asked;
  const options = { cause: complaint };
  if (/port is already allocated|address already in use/i.test(complaint)) {
    return new UsageError(`Port ${port} on 127.0.0.1 is in use: choose another with execution.server.port (--port).`, options);
  }
  if (/could not select device driver|nvidia-container|unknown runtime.*nvidia|CDI device/i.test(complaint)) {
    return new UsageError(
      `The container engine gives out no GPUs (${firstWords(complaint).replace(/\.$/, "")}): install the NVIDIA Container Toolkit, or leave execution.server.container_gpus empty.`,
      options,
    );
  }
  if (/invalid (size|argument .* for "(-m, )?--memory)|memory limit|memory value/i.test(complaint)) {
    return new UsageError(
      `execution.server.container_memory (${container.memory}) is no limit that the engine takes; write it like 4g: ${firstWords(complaint)}`,
      options,
    );
  }
  if (/range of cpus|nanocpus|for "--cpus"/i.test(complaint)) {
    return new UsageError(
      `execution.server.container_cpus (${container.cpus}) is no limit that the engine takes: ${firstWords(complaint)}`,
      options,
    );
  }
  if (/bind source path does not exist|mounts denied|not shared from/i.test(complaint)) {
    return new UsageError(
      `The container engine cannot see the work directory ${workDir}: share it in the engine's settings, or choose another (execution.server.work_dir).`,
      options,
    );
  }
  if (/no such image|unable to find image/i.test(complaint))
    return new UsageError(`The image ${container.image} went away while it was started: try again.`, options);
  return engineFault(complaint);
}

/** The engine's own sentence, without its prefixes. */
export function firstWords(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const line = lines.find((each) => each !== "" && !/^(see '|run 'docker)/i.test(each)) ?? "no word";
  return line
    .replace(/^docker: /, "")
    .replace(/^error (response )?from daemon: /i, "")
    .replace(/\.*$/, ".");
}

const INSTALL = process.platform === "linux" ? "sudo apt-get install docker.io" : "install Docker Desktop";
const START = process.platform === "linux" ? "sudo systemctl start docker" : "start Docker Desktop";
