/** The example proxies of `deploy/proxies`, run for tests: on a free port, with a certificate of their own, for a server elsewhere. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { freePort } from "./server-process.ts";

const run = promisify(execFile);

/** A proxy that accepts connections. */
export interface RunningProxy extends AsyncDisposable {
  /** Its `https` URL. */
  url: string;
  /** The certificate, for clients that are to trust it. */
  certificateFile: string;
}

/** Which example. */
export type ProxyName = "nginx" | "caddy";

/** Why an example cannot be tried here; undefined where it can. */
export async function whyNoProxy(name: ProxyName): Promise<string | undefined> {
  const version = await run(name, [name === "nginx" ? "-v" : "version"]).catch(() => undefined);
  return version === undefined ? `${name} is not installed` : undefined;
}

/**
 * Runs an example in front of a server.
 * @param upstream `HOST:PORT` of the server.
 */
export async function startProxy(name: ProxyName, upstream: string): Promise<RunningProxy> {
  const folder = await mkdtemp(join(tmpdir(), `taskweaver-${name}-`));
  const port = await freePort();
  const certificate = await makeCertificate(folder);
  const file = join(folder, name === "nginx" ? "nginx.conf" : "Caddyfile");
  const adapt = name === "nginx" ? adaptNginx : adaptCaddy;
  const example = await readFile(join(PACKAGE_ROOT, "deploy/proxies", name === "nginx" ? "nginx.conf" : "Caddyfile"), "utf8");
  await writeFile(file, adapt(example, { folder, port, upstream, ...certificate }));
  const args =
    name === "nginx"
      ? ["-c", file, "-p", folder, "-e", "stderr", "-g", "daemon off;"]
      : ["run", "--config", file, "--adapter", "caddyfile"];
  const environment = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(name, args, { stdio: ["ignore", "ignore", "pipe"], env: environment });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (words += text));
  let isEnded = false;
  const exited = once(child, "exit").then(() => (isEnded = true));
  const close = async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  while (!(await accepts(port))) {
    if (!isEnded) continue;
    await close();
    throw new Error(`${name} ended: ${words}`);
  }
  return { url: `https://localhost:${port}`, certificateFile: certificate.certificateFile, [Symbol.asyncDispose]: close };
}

interface Surroundings {
  folder: string;
  port: number;
  upstream: string;
  certificateFile: string;
  keyFile: string;
}

/** The example is a file of the `http` part of a whole configuration. */
function adaptNginx(example: string, { folder, port, upstream, certificateFile, keyFile }: Surroundings): string {
  const server = replaced(example, [
    ["server 127.0.0.1:8000;", `server ${upstream};`],
    ["listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`],
    ["server_name executor.example.org;", "server_name localhost;"],
    ["/etc/ssl/certs/executor.pem", certificateFile],
    ["/etc/ssl/private/executor.key", keyFile],
  ]);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((path) => `${path}_temp_path ${folder}/${path};`);
  return `user root;\npid ${folder}/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n${paths.join("\n")}\n${server}\n}\n`;
}

function adaptCaddy(example: string, { port, upstream, certificateFile, keyFile }: Surroundings): string {
  const site = replaced(example, [
    ["executor.example.org {", `https://localhost:${port} {\n\ttls ${certificateFile} ${keyFile}`],
    ["127.0.0.1:8000", upstream],
  ]);
  return `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`;
}

function replaced(text: string, pairs: [string, string][]): string {
  return pairs.reduce((current, [from, to]) => {
    const lines = current.split("\n").map((line) => (line.startsWith("#") ? line : line.replace(from, to)));
    if (!lines.join("\n").includes(to)) throw new Error(`the example has no ${from}`);
    return lines.join("\n");
  }, text);
}

async function makeCertificate(folder: string): Promise<{ certificateFile: string; keyFile: string }> {
  const [certificateFile, keyFile] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", [...kind, ...subject, "-keyout", keyFile, "-out", certificateFile]);
  return { certificateFile, keyFile };
}

/** Whether somebody accepts connections on a port of this machine. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => setTimeout(() => resolve(false), 20));
  });
}
