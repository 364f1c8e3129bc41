/** What a kernel sees of the server's environment. */
import { describe, expect, it } from "vitest";
import { kernelEnvironment } from "../../../src/provision/kernel-environment.ts";

describe("kernelEnvironment", () => {
  it("passes the server's environment on without the settings, which hold keys", () => {
    const server = {
      PATH: "/bin",
      PLUGIN_DATABASE: "x",
      TASKWEAVER_ENV_ID: "lab",
      TASKWEAVER_SERVER_API_KEY: "secret",
      TASKWEAVER_SERVER_PORT: "8000",
      TASKWEAVER_PYTHON: "/p",
      TASKWEAVER_LLM_API_KEY: "secret",
      taskweaver_server_api_key: "secret",
    };
    const environment = kernelEnvironment({ server });
    expect(environment).toEqual({ PATH: "/bin", PLUGIN_DATABASE: "x", TASKWEAVER_ENV_ID: "lab", JPY_PARENT_PID: String(process.pid) });
  });

  it("lets the kernelspec win over the server, and the session over both", () => {
    const layers = { server: { A: "server", B: "server", C: "server" }, kernelSpec: { B: "spec", C: "spec" }, session: { C: "session" } };
    expect(kernelEnvironment(layers)).toMatchObject({ A: "server", B: "spec", C: "session" });
  });

  it("fills the server's variables into the kernelspec's, but not its secrets", () => {
    const server = { HOME: "/h", TASKWEAVER_SERVER_API_KEY: "secret" };
    const kernelSpec = { A: "${HOME}/a:$HOME", B: "$$HOME ${UNKNOWN}", C: "${TASKWEAVER_SERVER_API_KEY}" };
    const environment = kernelEnvironment({ server, kernelSpec });
    expect(environment).toMatchObject({ A: "/h/a:/h", B: "$HOME ${UNKNOWN}", C: "${TASKWEAVER_SERVER_API_KEY}" });
  });

  it("tells the kernel whose it is, not what another Jupyter told the server", () => {
    const environment = kernelEnvironment({ server: { JPY_PARENT_PID: "1", JPY_SESSION_NAME: "x.ipynb", NODE_CHANNEL_FD: "3" } });
    expect(environment).toEqual({ JPY_PARENT_PID: String(process.pid) });
  });
});
