/** The container's health check: exit code 0 where the server answers on its port or its socket. */
import { get } from "node:http";

const { TASKWEAVER_SERVER_SOCKET: socketPath, TASKWEAVER_SERVER_PORT: port = "8000" } = process.env;
const address = socketPath ? { socketPath } : { host: "127.0.0.1", port };

const request = get({ ...address, path: "/api/v1/health", timeout: 4000 }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on("timeout", () => process.exit(1));
request.on("error", () => process.exit(1));
