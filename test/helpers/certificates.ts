/** Certificates as a private authority makes them, by openssl, for as long as a test takes. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { whenDone } from "./when-done.ts";

const run = promisify(execFile);

/** A certificate with its key, as files. */
export interface IssuedCertificate {
  certificate: string;
  key: string;
}

/** How one is to be. */
export interface IssueOptions {
  /** Over since yesterday. */
  isExpired?: boolean;
  /** Encrypts the key. */
  passphrase?: string;
}

/** An authority that nobody knows but whoever is given its certificate. */
export class TestAuthority {
  /** Its own certificate, a file. */
  readonly certificate: string;
  readonly #folder: string;
  #count = 0;

  /** Gone with the test, or with the file where all tests share it. */
  static async create(): Promise<TestAuthority> {
    const folder = await mkdtemp(join(tmpdir(), "tw-authority-"));
    whenDone(() => rm(folder, { recursive: true, force: true }));
    const authority = new TestAuthority(folder);
    await openssl(folder, "req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
    await writeFile(join(folder, "ca.conf"), CONFIGURATION);
    await writeFile(join(folder, "index.txt"), "");
    return authority;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.certificate = join(folder, "ca.pem");
  }

  /** @param names E.g. `DNS:localhost` or `IP:127.0.0.1`. */
  async issue(names: string[], { isExpired = false, passphrase }: IssueOptions = {}): Promise<IssuedCertificate> {
    const name = `certificate-${(this.#count += 1)}`;
    const [key, request, certificate, extensions] = ["key", "csr", "pem", "ext"].map((end) => `${name}.${end}`) as [
      string,
      string,
      string,
      string,
    ];
    const secret = passphrase === undefined ? NEW_KEY : [...NEW_KEY.slice(0, -1), "-passout", `pass:${passphrase}`];
    await openssl(this.#folder, "req", ...secret, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
    await writeFile(join(this.#folder, extensions), `subjectAltName=${names.join(",")}\n`);
    const days = isExpired ? [-3, -1] : [-1, 2];
    const [start = "", end = ""] = days.map(timeIn);
    const dates = ["-startdate", start, "-enddate", end];
    await openssl(
      this.#folder,
      "ca",
      "-batch",
      "-config",
      "ca.conf",
      "-extfile",
      extensions,
      ...dates,
      "-in",
      request,
      "-out",
      certificate,
    );
    return { certificate: join(this.#folder, certificate), key: join(this.#folder, key) };
  }

  async pem(): Promise<string> {
    return readFile(this.certificate, "utf8");
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

const CONFIGURATION = `[ca]
default_ca = this
[this]
database = index.txt
rand_serial = yes
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`;

async function openssl(folder: string, ...args: string[]): Promise<void> {
  await run("openssl", args, { cwd: folder });
}

/** As openssl writes times: `YYYYMMDDhhmmssZ`. */
function timeIn(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
}
