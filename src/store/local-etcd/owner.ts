import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LocalEtcdError } from './local-etcd-error.js';
import { GUARD_NAME, TERM_SECONDS } from './guard.js';
import { beginningOf, processTable } from './process-table.js';

/** Milliseconds that a guard needs at most after its node died; then its remaining processes are killed. */
const LEFTOVER_MS = (TERM_SECONDS + 1) * 1000;
const KILL_MS = 5_000;
const POLL_MS = 25;

interface Owner {
  readonly pid: number;
  readonly beginning: string;
  /** Process group of the guard and its etcd; 0 before the first start. */
  readonly group: number;
}

/**
 * Records which node uses a data folder: a second node is rejected by name, and the leftovers of a dead node are
 * distinguished from the etcd of a living one. etcd's own lock of its database has the last word.
 */
export class LocalEtcdOwner {
  readonly #file: string;

  constructor(
    private readonly dataDir: string,
    private readonly etcdDir: string,
  ) {
    this.#file = join(dataDir, 'etcd.owner');
  }

  /**
   * Takes the folder, after the processes that a dead node left have ended.
   * @throws LocalEtcdError when a living node, or an etcd that no node started, uses the folder
   */
  async claim(): Promise<void> {
    this.#makeFolder();
    const before = this.#read();
    if (before !== null && beginningOf(before.pid) === before.beginning) {
      throw new LocalEtcdError(
        `The data folder ${this.dataDir} is in use by another node, process ${before.pid}.`,
        'Stop that node, or give this one a folder of its own with UMBRA_DATA_DIR.',
      );
    }
    await this.#awaitLeftovers(before?.group ?? 0);
    this.write(0);
  }

  /** Writes down the process group of a guard that was just started. */
  write(group: number): void {
    const owner: Owner = { pid: process.pid, beginning: beginningOf(process.pid) ?? '', group };
    // Renamed into place: a reader sees the old text or the new one, never half of it.
    writeFileSync(`${this.#file}.new`, JSON.stringify(owner));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Releases the folder for another node. */
  release(): void {
    rmSync(this.#file, { force: true });
  }

  async #awaitLeftovers(group: number): Promise<void> {
    const killAt = performance.now() + LEFTOVER_MS;
    for (;;) {
      const left = this.#etcdsOnFolder();
      if (left.length === 0) return;
      const stranger = left.find((entry) => entry.group !== group && !entry.guarded);
      if (stranger) {
        throw new LocalEtcdError(
          `The data folder ${this.etcdDir} is in use by an etcd that this node did not start, process ${stranger.pid}.`,
          'Stop that etcd, or give this node a folder of its own with UMBRA_DATA_DIR.',
        );
      }
      // An etcd whose guard was killed too is ended here or never.
      for (const { pid, guarded } of left) if (!guarded || performance.now() > killAt) kill(pid);
      if (performance.now() > killAt + KILL_MS) {
        throw new LocalEtcdError(
          `The etcd of an earlier node, process ${left[0]?.pid}, does not end.`,
          'Look at that process (a stuck disk?) and end it; then start again.',
        );
      }
      await pause(POLL_MS);
    }
  }

  #etcdsOnFolder() {
    const table = processTable();
    const guards = new Set(table.filter(({ command }) => command.includes(` ${GUARD_NAME} `)).map(({ pid }) => pid));
    return table
      .filter(({ command }) => /^\S*etcd /.test(command) && `${command} `.includes(` --data-dir ${this.etcdDir} `))
      .map((entry) => ({ ...entry, guarded: guards.has(entry.group) }));
  }

  #makeFolder(): void {
    try {
      mkdirSync(this.dataDir, { recursive: true });
      accessSync(this.dataDir, constants.W_OK | constants.X_OK);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new LocalEtcdError(
        `The data folder ${this.dataDir} cannot be written (${why}).`,
        'Make it writable for this user, or name another one with UMBRA_DATA_DIR.',
      );
    }
  }

  #read(): Owner | null {
    try {
      const owner = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Owner> | null;
      if (typeof owner?.pid !== 'number' || typeof owner.beginning !== 'string') return null;
      return { pid: owner.pid, beginning: owner.beginning, group: Number(owner.group) || 0 };
    } catch {
      // No file, or one that a full disk cut short: etcd's own lock still protects the database.
      return null;
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone meanwhile.
  }
}
