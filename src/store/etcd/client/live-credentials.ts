import { createSecureContext } from 'node:tls';
import type { EtcdConfig } from '../../../config/config.js';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import { checkAuthorities, checkedCertificate } from '../../../tls/checked-certificate.js';
import { WatchedFiles } from '../../../tls/watched-files.js';
import type { EtcdCredentials } from './etcd-client.js';

const MEMBERS = { ca: 'rootCertificate', cert: 'certChain', key: 'privateKey' } as const;

/** What the PEM files of the configuration have, now and after each change of them. */
export class LiveCredentials implements EtcdCredentials {
  #read: EtcdCredentials;
  readonly #given: readonly (keyof typeof MEMBERS)[];
  readonly #paths: readonly string[];
  #watched: WatchedFiles | null = null;

  /** @throws Error of node:fs for a file that cannot be read */
  constructor(
    tls: EtcdConfig['tls'],
    private readonly logger: Logger,
  ) {
    const given = (['ca', 'cert', 'key'] as const).filter((name) => tls[name] !== null);
    this.#given = given;
    this.#paths = given.map((name) => tls[name] ?? '');
    this.#read = this.#credentialsOf(new WatchedFiles(this.#paths, NOTHING).read());
  }

  get rootCertificate(): Buffer | undefined {
    return this.#read.rootCertificate;
  }

  get certChain(): Buffer | undefined {
    return this.#read.certChain;
  }

  get privateKey(): Buffer | undefined {
    return this.#read.privateKey;
  }

  /**
   * Reads the files again when they change, and at once when the process gets SIGHUP. Files that cannot be used change
   * nothing.
   * @param onChange new connections have to be made with what there is now
   * @param tried is told how each attempt has ended
   * @throws Error of node:fs for a file that cannot be read
   */
  follow(onChange: () => void, tried: (result: 'ok' | 'failed') => void): void {
    const [file] = this.#paths;
    if (file === undefined || this.#watched !== null) return;
    this.#watched = new WatchedFiles(this.#paths, {
      use: (contents) => {
        const next = this.#credentialsOf(contents);
        check(next);
        this.#read = next;
        tried('ok');
        this.logger.info({ file }, 'the certificates for etcd have changed; new connections show the new ones');
        onChange();
      },
      onFailed: (error) => {
        tried('failed');
        this.logger.error({ file, reason: reasonOf(error) }, 'the new certificates or key for etcd cannot be used; the old ones stay'); // prettier-ignore
      },
      onSame: () => this.logger.info({ file }, 'the certificates for etcd are as they were'),
    });
    this.#watched.start();
  }

  /** No errors. */
  close(): void {
    this.#watched?.stop();
  }

  #credentialsOf(contents: readonly Buffer[]): EtcdCredentials {
    return Object.fromEntries(this.#given.map((name, index) => [MEMBERS[name], contents[index]]));
  }
}

const NOTHING = { use: () => undefined, onFailed: () => undefined, onSame: () => undefined };

/** @throws Error for what is no certificate, one that has expired, authorities that all have, or another one's key */
function check({ rootCertificate: ca, certChain: cert, privateKey: key }: EtcdCredentials): void {
  createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  if (ca) checkAuthorities(ca);
  if (cert) checkedCertificate(cert);
}
