import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../telemetry/logger.js';
import { LocalEtcdError } from './local-etcd-error.js';

/** Folders of failed first starts that are kept; each may hold a log of 64 MB. */
const MAX_ASIDE = 5;

/**
 * The folder of an etcd that has never answered. An etcd that is killed in the few milliseconds in which it makes its
 * first log leaves a folder with which it never gets a leader again (seen with 3.4.23), and which holds no data.
 *
 * Such a folder is known by a random id, which stands in a marker beside it and in a file inside. A folder without that
 * file came from elsewhere, such as a restored backup: it is never moved. Nothing is ever deleted.
 */
export class DataFolder {
  readonly #marker: string;
  /** Where etcd keeps its data; it ignores a file of another name. */
  readonly #member: string;
  readonly #idFile: string;

  constructor(
    private readonly etcdDir: string,
    private readonly logger: Logger,
  ) {
    this.#marker = `${etcdDir}.starting`;
    this.#member = join(etcdDir, 'member');
    this.#idFile = join(this.#member, 'umbra-first-start');
  }

  /**
   * Prepares the first start of etcd: moves the folder of an earlier start in vain aside, and makes a new one.
   * @throws LocalEtcdError after five starts in vain
   */
  prepare(): void {
    const id = read(this.#marker);
    if (id && read(this.#idFile) === id) this.#putAside();
    if (existsSync(this.etcdDir)) return rmSync(this.#marker, { force: true });
    const fresh = randomBytes(16).toString('hex');
    writeFileSync(this.#marker, fresh);
    // etcd asks for a folder that no other user can read.
    mkdirSync(this.#member, { recursive: true, mode: 0o700 });
    writeFileSync(this.#idFile, fresh);
  }

  /** Notes that etcd has answered: from then on the folder is never moved. */
  keep(): void {
    rmSync(this.#marker, { force: true });
    rmSync(this.#idFile, { force: true });
  }

  /** Removes the files of prepare() when etcd was never run, so that this start leaves no trace. */
  discard(): void {
    const id = read(this.#marker);
    if (!id || read(this.#idFile) !== id) return;
    this.keep();
    for (const folder of [this.#member, this.etcdDir]) {
      try {
        rmdirSync(folder);
      } catch {
        // Not empty: its files come from elsewhere.
        return;
      }
    }
  }

  #putAside(): void {
    const names = Array.from(
      { length: MAX_ASIDE },
      (_, n) => `${this.etcdDir}.incomplete${n === 0 ? '' : `-${n + 1}`}`,
    );
    const aside = names.find((name) => !existsSync(name));
    if (aside === undefined) {
      throw new LocalEtcdError(
        `etcd has failed ${MAX_ASIDE + 1} times before its first answer; what it left is in ${this.etcdDir} and ${names[0]}*.`,
        'Find out why (a full or slow disk, too little memory?), remove these folders, and start again.',
      );
    }
    renameSync(this.etcdDir, aside);
    this.logger.warn(
      { from: this.etcdDir, to: aside },
      'moved the folder of an etcd that had never answered aside; it can be removed',
    );
  }
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
