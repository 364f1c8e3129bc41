/** Could the server run in a container: the client is there, and its engine answers. */
import type { Check, CheckResult } from "./check.ts";

export const checkDocker: Check = async ({ container }, machine) => {
  const result = await machine.run("docker", ["version", "--format", "{{.Client.Version}} {{.Server.Version}}"]);
  // Without a wish for a container, its absence stops nothing.
  const failed = (detail: string, remedy: string): CheckResult => ({
    name: "Docker",
    status: container ? "problem" : "warning",
    detail,
    remedy,
  });
  const note = container ? "" : " (only needed to run the server in a container)";
  if (result === undefined) return failed(`not installed${note}`, installRemedy(machine.platform));
  if (result.exitCode === 0) return { name: "Docker", status: "ok", detail: `engine ${result.stdout.trim().split(" ").at(-1) ?? ""}` };
  if (/permission denied/i.test(result.stderr)) {
    return failed(`the engine does not let this user in${note}`, 'sudo usermod -aG docker "$USER", then log in again');
  }
  return failed(`the engine does not answer${note}`, startRemedy(machine.platform));
};

function installRemedy(platform: NodeJS.Platform): string {
  return platform === "linux" ? "sudo apt-get install docker.io" : "Install Docker Desktop: https://docs.docker.com/get-docker/";
}

function startRemedy(platform: NodeJS.Platform): string {
  return platform === "linux" ? "sudo systemctl start docker" : "Start Docker Desktop";
}
