import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes that are written at once. */
const BLOCK = 1 << 20;

const run = (command: string, ...args: string[]): { ok: boolean; text: string } => {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return { ok: status === 0, text: error?.message ?? stderr.trim() };
};

/** Why no disk of its own can be had here, or null. */
export function disksRefused(folder: string): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root';
  try {
    SmallDisk.mount(join(folder, 'probe'), 1).stop();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A file system of its own that can be filled. It is gone when this process ends. */
export class SmallDisk {
  readonly #unmount = (): void => this.stop();

  private constructor(readonly path: string) {
    process.once('exit', this.#unmount);
  }

  /** @throws Error of mount(8) */
  static mount(path: string, megabytes: number): SmallDisk {
    mkdirSync(path, { recursive: true });
    const { ok, text } = run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'umbra-matrix', path);
    if (!ok) throw new Error(`mount: ${text}`);
    return new SmallDisk(path);
  }

  /** Takes every byte that is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (let size = BLOCK; size >= 1;) {
        try {
          // A part may have been taken.
          writeSync(file, Buffer.alloc(size));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          size = Math.floor(size / 16);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  stop(): void {
    process.removeListener('exit', this.#unmount);
    run('umount', '--lazy', this.path);
  }

  get #ballast(): string {
    return join(this.path, 'ballast');
  }
}
