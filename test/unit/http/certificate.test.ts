/** Listening with a certificate: what is shown, what is refused at the start, and what happens when the files change. */
import { once } from "node:events";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import fastify from "fastify";
import pino from "pino";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Certificate, type CertificateFiles } from "../../../src/http/certificate.ts";
import { openDoors } from "../../../src/http/doors.ts";
import { createHttpServer } from "../../../src/http/http-server.ts";
import { listen, type Listener } from "../../../src/http/listen.ts";
import { ownAddress } from "../../../src/http/own-address.ts";
import { requestOrigin } from "../../../src/http/request-origin.ts";
import { TestAuthority } from "../../helpers/certificates.ts";
import { SILENT, temporaryFolder } from "../../helpers/fake-session.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

const authority = sharedByAll(() => TestAuthority.create());

describe("a listener with a certificate", () => {
  test("speaks https on all addresses of localhost, and what asks for plain http gets no answer", async () => {
    const { url } = await start(await open(await authority().issue(["DNS:localhost", "IP:127.0.0.1", "IP:::1"])));
    const { port } = new URL(url);
    expect(url).toBe(`https://localhost:${port}`);
    expect(await get(`https://127.0.0.1:${port}/`)).toBe(`https://127.0.0.1:${port}`);
    if (await reaches(Number(port), "::1")) expect(await get(`https://[::1]:${port}/`)).toBe(`https://[::1]:${port}`);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow("fetch failed");
  });

  test("lets local clients in without a key as a plain one does, and nobody else", async () => {
    const certificate = await open(await authority().issue(["IP:127.0.0.1", "DNS:other.example"]));
    const settings = { apiKey: null, requireKey: false, onUnixSocket: false, corsOrigins: [], trustedProxies: [], maxBodyBytes: 1024 };
    const app = await openDoors({ settings, logger: SILENT, certificate });
    app.get("/", async () => "in");
    const { url } = await listening(app, certificate);
    expect(await get(url)).toBe("in");
    expect(await get(url, { "x-forwarded-for": "192.0.2.1" })).toContain("unauthorized");
    expect(await get(url, { host: "other.example" })).toContain("host_refused");
  });

  test("is reached from within, whatever name its certificate is made out to", async () => {
    const { url } = await start(await open(await authority().issue(["DNS:executor.example"])));
    const { fetch: ownFetch, url: own } = ownAddress(url);
    expect(await (await ownFetch?.(own, {}))?.text()).toBe(own);
    expect(ownAddress("http://0.0.0.0:8000")).toEqual({ url: "http://127.0.0.1:8000" });
  });

  test("closes also while somebody is in the middle of a handshake", async () => {
    const listener = await start(await open(await authority().issue(["IP:127.0.0.1"])));
    const silent = connect(Number(new URL(listener.url).port), "127.0.0.1");
    await once(silent, "connect");
    const ended = once(silent, "close");
    silent.on("error", () => undefined).resume();
    await get(listener.url.replace("localhost", "127.0.0.1"));
    await listener.close(10);
    await ended;
  });
});

describe("a certificate whose files change", () => {
  test("is shown anew to who comes then; until both files fit the one before goes on", async () => {
    const folder = await temporaryFolder();
    const files = { certificate: join(folder, "tls.crt"), key: join(folder, "tls.key") };
    const [first, second] = [await authority().issue(["IP:127.0.0.1"]), await authority().issue(["IP:127.0.0.1"])];
    await Promise.all([copyFile(first.certificate, files.certificate), copyFile(first.key, files.key)]);
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line) => void lines.push(line) });
    const { url } = await start(await open(files, logger));
    const { port } = new URL(url);
    const kept = await tlsConnection(port);
    expect(nameShownBy(kept)).toBe("certificate-" + numberOf(first));
    await copyFile(second.certificate, files.certificate);
    await vi.waitFor(() => expect(lines.join("")).toContain("does not belong"), 10_000);
    expect(nameShownBy(await tlsConnection(port))).toBe("certificate-" + numberOf(first));
    await copyFile(second.key, files.key);
    await vi.waitFor(() => expect(lines.join("")).toContain("a new certificate is shown"), 10_000);
    expect(nameShownBy(await tlsConnection(port))).toBe("certificate-" + numberOf(second));
    expect(kept.destroyed).toBe(false);
  });
});

describe("a pair that cannot be used is refused in one sentence:", () => {
  test("a file that is not there, or is something else", async () => {
    const { certificate, key } = await authority().issue(["DNS:localhost"]);
    await refused({ certificate: "/nowhere/tls.crt", key }, /^\/nowhere\/tls\.crt \(tls_certificate\) cannot be read: ENOENT/);
    await refused({ certificate, key: "/nowhere/tls.key" }, /^\/nowhere\/tls\.key \(tls_key\) cannot be read: ENOENT/);
    const text = join(await temporaryFolder(), "text");
    await writeFile(text, "no certificate");
    await refused({ certificate: text, key }, /text \(tls_certificate\) is no certificate in PEM\.$/);
    await refused({ certificate, key: text }, /text \(tls_key\) is no private key in PEM\.$/);
  });

  test("a key of another certificate, and one with a passphrase", async () => {
    const [one, other] = [await authority().issue(["DNS:localhost"]), await authority().issue(["DNS:localhost"])];
    await refused({ ...one, key: other.key }, /does not belong to the first certificate in/);
    const chain = join(await temporaryFolder(), "chain.pem");
    await writeFile(chain, (await authority().pem()) + (await readFile(one.certificate, "utf8")));
    await refused({ ...one, certificate: chain }, /does not belong to the first certificate in/);
    const locked = await authority().issue(["DNS:localhost"], { passphrase: "secret" });
    await refused(locked, /has a passphrase: give one without/);
  });

  test("while one that has expired is served, and told of", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "warn" }, { write: (line) => void lines.push(line) });
    await open(await authority().issue(["DNS:localhost"], { isExpired: true }), logger);
    expect(lines.join("")).toContain("the certificate has expired");
  });
});

async function open(files: CertificateFiles, logger = SILENT): Promise<Certificate> {
  const certificate = await Certificate.open(files, logger, 20);
  onTestFinished(() => certificate.close());
  return certificate;
}

async function refused(files: CertificateFiles, sentence: RegExp): Promise<void> {
  await expect(Certificate.open(files, SILENT)).rejects.toMatchObject({ name: "UsageError", message: expect.stringMatching(sentence) });
}

/** Answers with the origin that the client sees. */
async function start(certificate: Certificate): Promise<Listener> {
  const app = fastify({ forceCloseConnections: "idle", serverFactory: (handler) => createHttpServer(handler, certificate) });
  app.get("/", async (asked) => requestOrigin(asked));
  return listening(app, certificate, "localhost");
}

async function listening(app: Parameters<typeof listen>[0], certificate: Certificate, host = "127.0.0.1"): Promise<Listener> {
  const listener = await listen(app, { host, port: 0, socketPath: null, certificate });
  onTestFinished(() => listener.close(0));
  return listener;
}

async function get(url: string, headers: Record<string, string> = {}): Promise<string> {
  const ca = await authority().pem();
  return new Promise((resolve, reject) => {
    request(url, { ca, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.once("end", () => resolve(text));
    })
      .once("error", reject)
      .end();
  });
}

async function tlsConnection(port: string): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port: Number(port), ca: await authority().pem() });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

function nameShownBy(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject.CN);
}

function numberOf({ certificate }: CertificateFiles): string {
  return /certificate-(\d+)\.pem$/.exec(certificate)?.[1] ?? "";
}

function reaches(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
