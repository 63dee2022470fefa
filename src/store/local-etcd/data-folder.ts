import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * The folder of an etcd that has never answered. An etcd that is killed in the few milliseconds in which it makes its
 * first log leaves a folder with which it never gets a leader again (seen with 3.4.23), and nothing can be in it.
 */
export class DataFolder {
  readonly #marker: string;

  constructor(private readonly etcdDir: string) {
    this.#marker = `${etcdDir}.starting`;
  }

  /** Before the first start of etcd. Folders that others made, such as a restored backup, are never touched. */
  prepare(): void {
    if (existsSync(this.#marker) && existsSync(this.etcdDir)) {
      const aside = `${this.etcdDir}.incomplete`;
      rmSync(aside, { recursive: true, force: true });
      renameSync(this.etcdDir, aside);
    }
    if (!existsSync(this.etcdDir)) writeFileSync(this.#marker, '');
  }

  /** etcd has answered: from here on the folder is kept, whatever happens. */
  keep(): void {
    rmSync(this.#marker, { force: true });
  }
}
