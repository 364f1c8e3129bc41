/** Launches a kernel, tells its process id, and then waits to be killed. Plain JavaScript, since Node 20 runs no TypeScript. */
import { runnerImport } from "vite";

process.once("message", (request) => void launch(request));

async function launch({ python, runtimeDirectory, environment, request }) {
  const source = new URL("../../../src/provision/subprocess-provisioner.ts", import.meta.url).pathname;
  const { module } = await runnerImport(source);
  const provisioner = new module.SubprocessProvisioner({ python, runtimeDirectory, environment });
  const kernel = await provisioner.launch(request);
  process.send(kernel.pid);
}
