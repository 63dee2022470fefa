import type { EventEmitter } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { getHeapSnapshot, getHeapStatistics } from 'node:v8';
import type { Logger } from './logger.js';
import { reasonOf } from './reason.js';

/** Folder of the profiles below the data folder. */
const FOLDER = 'profiles';
/** Milliseconds of a profile of the processor. */
const CPU_MS = 30_000;
/** Files of each kind that are kept. */
const MOST_KEPT = 5;
/** Bytes in use of a heap that is still written: the node does nothing else meanwhile, and needs several times the room. */
const MAX_HEAP_BYTES = 256 * 1024 * 1024;

/** Which signal asks for what. SIGUSR1 is Node's own, and SIGPROF that of V8's profiler. */
export const PROFILE_SIGNALS = { SIGUSR2: 'cpu', SIGIO: 'heap' } as const;

type Kind = (typeof PROFILE_SIGNALS)[keyof typeof PROFILE_SIGNALS];

const SUFFIX: Readonly<Record<Kind, string>> = { cpu: '.cpuprofile', heap: '.heapsnapshot' };

export interface ProfilesOptions {
  readonly dataDir: string;
  readonly logger: Logger;
  /** Shortened by tests. */
  readonly cpuMs?: number;
  /** Replaced by tests: that of a test process is large. */
  readonly heap?: () => Readable;
}

/** Profiles of this process as files that the tools of Chrome and VS Code read. One at a time. */
export class Profiles {
  readonly #folder: string;
  #underWay: Kind | null = null;

  constructor(private readonly options: ProfilesOptions) {
    this.#folder = join(options.dataDir, FOLDER);
  }

  /** Takes one, unless another one is under way. Everything is said in the log. No errors. */
  async take(kind: Kind): Promise<void> {
    const { logger } = this.options;
    if (this.#underWay !== null)
      return void logger.warn({ kind, underWay: this.#underWay }, 'a profile is refused: another one is under way');
    this.#underWay = kind;
    try {
      await this.#take(kind);
    } catch (error) {
      logger.error({ kind, folder: this.#folder, reason: reasonOf(error) }, 'a profile could not be taken');
    } finally {
      this.#underWay = null;
    }
  }

  async #take(kind: Kind): Promise<void> {
    const { logger, cpuMs = CPU_MS, heap = heapSnapshot } = this.options;
    // Both have what the process has in memory, keys and shadows included.
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#makeRoom(kind);
    const file = join(this.#folder, `${new Date().toISOString().replace(/[:.]/g, '-')}-${process.pid}${SUFFIX[kind]}`);
    logger.info({ kind, file, ...(kind === 'cpu' && { ms: cpuMs }) }, 'a profile is being taken');
    const content = kind === 'cpu' ? Readable.from([await cpuProfile(cpuMs)]) : heap();
    const part = `${file}.part`;
    try {
      await pipeline(content, createWriteStream(part, { mode: 0o600, flags: 'wx' }));
      await rename(part, file);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    logger.info({ kind, file, bytes: (await stat(file)).size }, 'a profile is written');
  }

  /** Removes the oldest ones, and what an earlier process has not finished. */
  async #makeRoom(kind: Kind): Promise<void> {
    const all = await readdir(this.#folder);
    const complete = all.filter((name) => name.endsWith(SUFFIX[kind])).sort();
    const gone = [...complete.slice(0, -(MOST_KEPT - 1)), ...all.filter((name) => name.endsWith('.part'))];
    for (const name of gone) await rm(join(this.#folder, name), { force: true });
  }
}

/** Takes profiles when a process gets the signals for them. Those that the system does not have are left out. */
export function profileOnSignals(process: EventEmitter, profiles: Profiles): void {
  for (const [signal, kind] of Object.entries(PROFILE_SIGNALS))
    if (signal in constants.signals) process.on(signal, () => void profiles.take(kind));
}

async function cpuProfile(ms: number): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await pause(ms, undefined, { ref: false });
    const { profile } = await session.post('Profiler.stop');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

/** @throws Error for a heap that is too large */
function heapSnapshot(): Readable {
  const used = getHeapStatistics().used_heap_size;
  if (used <= MAX_HEAP_BYTES) return getHeapSnapshot();
  throw new Error(`the heap has ${used} bytes in use; at most ${MAX_HEAP_BYTES} are written`);
}
