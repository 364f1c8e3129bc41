/** The certificate that a listener shows: read from two files, checked, and read again when they change. */
import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Server as TlsServer } from "node:tls";
import type { Logger } from "pino";
import { messageOf, UsageError } from "../errors.ts";

/** Where they are; both in PEM. */
export interface CertificateFiles {
  /** The listener's own certificate, then those between it and the authority. */
  certificate: string;
  /** Its private key, without a passphrase. */
  key: string;
}

/** What the files hold. */
export interface PemPair {
  cert: string;
  key: string;
}

/** Looked at by their times, not by the system's events: what mounts a new secret swaps the folder around the file. */
const LOOK_EVERY_MS = 2_000;

/** A certificate in use. */
export class Certificate {
  readonly #files: CertificateFiles;
  readonly #logger: Logger;
  readonly #servers = new Set<TlsServer>();
  readonly #look = (): void => void (this.#reloading = this.#reloading.then(() => this.#reload()));
  #pem: PemPair;
  #reloading = Promise.resolve();

  /**
   * Reads the pair and watches over it until {@link close}.
   * @throws UsageError for a file that cannot be read, is not what it should be, or does not belong to the other.
   */
  static async open(files: CertificateFiles, logger: Logger, lookEveryMs = LOOK_EVERY_MS): Promise<Certificate> {
    const pem = await readPair(files);
    warnIfExpired(pem, files, logger);
    return new Certificate(files, pem, logger, lookEveryMs);
  }

  private constructor(files: CertificateFiles, pem: PemPair, logger: Logger, lookEveryMs: number) {
    this.#files = files;
    this.#pem = pem;
    this.#logger = logger;
    for (const path of [files.certificate, files.key]) watchFile(path, { interval: lookEveryMs, persistent: false }, this.#look);
  }

  get pem(): PemPair {
    return this.#pem;
  }

  /** Lets a server show each new certificate, to connections that come after it. */
  follow(server: TlsServer): void {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
  }

  close(): void {
    for (const path of [this.#files.certificate, this.#files.key]) unwatchFile(path, this.#look);
  }

  async #reload(): Promise<void> {
    let pem: PemPair;
    try {
      pem = await readPair(this.#files);
    } catch (error) {
      // Of two files that are written one after the other, the second one's change comes yet.
      this.#logger.warn({ reason: messageOf(error) }, "the certificate has changed and cannot be used: the one before goes on");
      return;
    }
    if (pem.cert === this.#pem.cert && pem.key === this.#pem.key) return;
    this.#pem = pem;
    for (const server of this.#servers) server.setSecureContext(pem);
    this.#logger.info({ validTo: new X509Certificate(pem.cert).validTo }, "a new certificate is shown");
    warnIfExpired(pem, this.#files, this.#logger);
  }
}

async function readPair(files: CertificateFiles): Promise<PemPair> {
  const [cert, key] = await Promise.all([readText(files.certificate, "tls_certificate"), readText(files.key, "tls_key")]);
  const own = parse(() => new X509Certificate(cert), `${files.certificate} (tls_certificate) is no certificate in PEM.`);
  if (!own.checkPrivateKey(parsePrivateKey(key, files.key))) {
    throw new UsageError(
      `The key in ${files.key} (tls_key) does not belong to the first certificate in ${files.certificate} (tls_certificate).`,
    );
  }
  return { cert, key };
}

async function readText(path: string, setting: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    throw new UsageError(`${path} (${setting}) cannot be read: ${messageOf(error)}.`, { cause: error });
  });
}

function parsePrivateKey(text: string, path: string): KeyObject {
  const isEncrypted = /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(text);
  return parse(
    () => createPrivateKey(text),
    isEncrypted
      ? `The key in ${path} (tls_key) has a passphrase: give one without, readable by the server's user only.`
      : `${path} (tls_key) is no private key in PEM.`,
  );
}

function parse<T>(read: () => T, sentence: string): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(sentence, { cause: error });
  }
}

function warnIfExpired({ cert }: PemPair, { certificate: path }: CertificateFiles, logger: Logger): void {
  const { validTo } = new X509Certificate(cert);
  if (Date.parse(validTo) < Date.now()) logger.warn({ path, validTo }, "the certificate has expired: clients refuse it");
}
