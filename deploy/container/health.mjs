/** The container's health check: exit code 0 where the server answers on its port or its socket. */
import { get } from "node:http";
import { get as getSecurely } from "node:https";

const {
  TASKWEAVER_SERVER_SOCKET: socketPath,
  TASKWEAVER_SERVER_PORT: port = "8000",
  TASKWEAVER_SERVER_TLS_CERTIFICATE: certificate,
} = process.env;
const ask = certificate ? getSecurely : get;
const address = socketPath ? { socketPath } : { host: "127.0.0.1", port };

// The certificate is made out to the name that others use.
const request = ask({ ...address, path: "/api/v1/health", timeout: 4000, rejectUnauthorized: false }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on("timeout", () => process.exit(1));
request.on("error", () => process.exit(1));
