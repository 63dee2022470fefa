import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { checkAuthorities, checkedCertificate, notAfterOf } from './checked-certificate.js';
import { WatchedFiles } from './watched-files.js';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Authorities of clients; null or none: the files do not say. */
  readonly ca?: string | null;
}

export interface NodeCertificateParts {
  /** Is told how each attempt to use changed files has ended. */
  readonly tried?: (result: 'ok' | 'failed') => void;
  /** Milliseconds between two looks at the files. */
  readonly periodMs?: number;
}

/**
 * The node's own certificate and key, as its files have them. They are read again when they change, without a restart;
 * connections that are open stay. Tickets of the old certificate are not taken any more, so that clients see the new one.
 */
export class NodeCertificate {
  readonly #watched: WatchedFiles;
  #server: Server | null = null;
  /** Seconds of the epoch. */
  #notAfter = NaN;

  /**
   * @param options what else the server's contexts have
   * @throws Error of node:fs for a file that cannot be read
   */
  constructor(
    private readonly files: CertificateFiles,
    private readonly options: SecureContextOptions,
    private readonly logger: Logger,
    private readonly parts: NodeCertificateParts = {},
  ) {
    const { cert, key, ca } = files;
    this.#watched = new WatchedFiles(ca ? [cert, key, ca] : [cert, key], {
      use: (contents) => this.#use(contents),
      onFailed: (error) => this.#failed(error),
      onSame: () => this.logger.info({ file: cert }, 'the certificate of the node is as it was'),
      periodMs: parts.periodMs,
    });
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
    const context = this.#contextOf(this.#watched.read());
    this.#notAfter = notAfterOf(context.cert);
    return context;
  }

  /** Gives the server new contexts until it has closed: when its files change, and at once when the process gets SIGHUP. */
  follow(server: Server): void {
    this.#server = server;
    server.once('close', () => this.#watched.stop());
    this.#watched.start();
  }

  #use(contents: readonly Buffer[]): void {
    const context = this.#contextOf(contents);
    createSecureContext(context);
    const [, , ca] = contents;
    if (ca) checkAuthorities(ca);
    const { fingerprint256: fingerprint, validTo: until } = checkedCertificate(context.cert);
    this.#server?.setSecureContext(context);
    this.#notAfter = notAfterOf(context.cert);
    this.parts.tried?.('ok');
    const { cert: file } = this.files;
    this.logger.info({ file, fingerprint, until }, 'the certificate of the node has changed; new connections see the new one'); // prettier-ignore
  }

  #failed(error: unknown): void {
    this.parts.tried?.('failed');
    this.logger.error({ file: this.files.cert, reason: reasonOf(error) }, 'the new certificate or key of the node cannot be used; the old ones stay'); // prettier-ignore
  }

  #contextOf([cert, key, ca]: readonly Buffer[]): SecureContextOptions & { readonly cert: Buffer | undefined } {
    return { ...this.options, cert, ...(key && { key }), ...(ca && { ca }) };
  }
}
