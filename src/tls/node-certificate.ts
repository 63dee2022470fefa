import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Authorities of clients; null or none: the files do not say. */
  readonly ca?: string | null;
}

/** Milliseconds between two looks at the files. Whoever renews certificates does so days before they expire. */
const PERIOD_MS = 5_000;
/** Bytes of one file: a chain of certificates takes a few thousand. */
const MAX_FILE_BYTES = 1024 * 1024;

type Contents = Pick<SecureContextOptions, 'cert' | 'key' | 'ca'>;

/**
 * The node's own certificate and key, as its files have them. They are read again when they change, without a restart;
 * connections that are open stay. Tickets of the old certificate are not taken any more, so that clients see the new one.
 */
export class NodeCertificate {
  /** What the files were like when they were last used, or found unusable. */
  #tried: string;
  /** What they were like at the last look. */
  #seen: string;
  #timer: NodeJS.Timeout | null = null;
  /** Seconds of the epoch. */
  #notAfter = NaN;

  /**
   * @param options what else the server's contexts have
   * @param periodMs between two looks at the files
   * @throws Error of node:fs for a file that cannot be read
   */
  constructor(
    private readonly files: CertificateFiles,
    private readonly options: SecureContextOptions,
    private readonly logger: Logger,
    private readonly periodMs: number = PERIOD_MS,
  ) {
    // Before the files are read: a change between the two is found later, and not missed.
    this.#tried = this.#seen = pathsOf(files)
      .map((path) => describe(statSync(path, { bigint: true })))
      .join();
  }

  /** The end of the certificate that new connections see, in seconds of the epoch; NaN before `read`. */
  get notAfter(): number {
    return this.#notAfter;
  }

  /**
   * The options of the server's first context.
   *
   * @throws Error of node:fs for a file that cannot be read
   */
  read(): SecureContextOptions {
    const [cert, key, ca] = pathsOf(this.files).map((path) => readFileSync(path));
    this.#notAfter = notAfterOf(cert);
    return { ...this.options, ...contentsOf(cert, key, ca) };
  }

  /** Gives the server new contexts until it has closed. */
  follow(server: Server): void {
    const next = (): void => {
      this.#timer = setTimeout(
        () => void this.#look(server).finally(() => this.#timer && next()),
        this.periodMs,
      ).unref();
    };
    server.once('close', () => {
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
    });
    next();
  }

  /** Never rejects. */
  async #look(server: Server): Promise<void> {
    const now = await describeAll(this.files);
    // Certificate and key are written one after the other, so they must have been left alone for one period.
    const isSettled = now === this.#seen;
    this.#seen = now;
    if (!isSettled || now === this.#tried) return;
    this.#tried = now;
    try {
      const context = { ...this.options, ...(await readAll(this.files)) };
      const certificate = checked(context);
      server.setSecureContext(context);
      this.#notAfter = notAfterOf(context.cert as Buffer);
      this.logger.info({ file: this.files.cert, fingerprint: certificate.fingerprint256, until: certificate.validTo }, 'the certificate of the node has changed; new connections see the new one'); // prettier-ignore
    } catch (error) {
      this.logger.error({ file: this.files.cert, reason: reasonOf(error) }, 'the new certificate or key of the node cannot be used; the old ones stay'); // prettier-ignore
    }
  }
}

const pathsOf = ({ cert, key, ca }: CertificateFiles): string[] => (ca ? [cert, key, ca] : [cert, key]);

interface Description {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

const describe = ({ dev, ino, size, mtimeNs, ctimeNs }: Description): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(':');

/** Never rejects: a file that is not there is a state like others. */
async function describeAll(files: CertificateFiles): Promise<string> {
  const one = (path: string): Promise<string> =>
    stat(path, { bigint: true }).then(describe, ({ code }: NodeJS.ErrnoException) => code ?? 'unreadable');
  return (await Promise.all(pathsOf(files).map(one))).join();
}

async function readAll(files: CertificateFiles): Promise<Contents> {
  const one = async (path: string): Promise<Buffer> => {
    if ((await stat(path)).size > MAX_FILE_BYTES) throw new Error(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
    return readFile(path);
  };
  const [cert, key, ca] = await Promise.all(pathsOf(files).map(one));
  return contentsOf(cert, key, ca);
}

/** Seconds of the epoch; NaN for what is no certificate. No errors. */
function notAfterOf(pem: Buffer | undefined): number {
  try {
    return Date.parse(new X509Certificate(pem ?? '').validTo) / 1000;
  } catch {
    return NaN;
  }
}

function contentsOf(cert?: Buffer, key?: Buffer, ca?: Buffer): Contents {
  return { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) };
}

/**
 * The node's certificate in a context that works.
 *
 * @throws Error no PEM, a key of another certificate, or expired
 */
function checked(context: SecureContextOptions): X509Certificate {
  createSecureContext(context);
  const certificate = new X509Certificate(context.cert as Buffer);
  if (Date.parse(certificate.validTo) < Date.now())
    throw new Error(`the certificate expired on ${certificate.validTo}`);
  return certificate;
}
