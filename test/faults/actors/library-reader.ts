import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import type { CacheHistory, LibraryHistory, WatchHistory } from '../model/library-history.js';
import { placeOf } from '../model/library-history.js';
import type { Random } from '../plans/random.js';
import { PROMISES } from '../validate/promises.js';
import type { ProgramOptions } from './library-program.js';

/** Milliseconds that a process lives, is frozen, and is away; the longest absences are longer than a node remembers. */
const LIFE_MS = [2_000, 9_000] as const;
const FROZEN_MS = [300, 5_000] as const;
const SHORT_MS = [0, 1_500] as const;
const LONG_MS = [9_000, 20_000] as const;
const SHARES = { freezes: 0.2, leaves: 0.85 };
const SOURCE = join(process.cwd(), 'test', 'faults', 'actors', 'library-program.ts');

export type ReaderKind = ProgramOptions['kind'];
type Line = readonly [kind: string, ...rest: readonly unknown[]];

/** Makes one file of the program: processes begin often, and compile nothing then. Returns its path. */
export async function bundleProgram(folder: string): Promise<string> {
  const outfile = join(folder, 'program.mjs');
  await build({ entryPoints: [SOURCE], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' });
  return outfile;
}

/** A process with one watch or one cache of the library, which is killed and comes back on another node. */
export class LibraryReader {
  readonly #watch: WatchHistory | null;
  readonly #cache: CacheHistory | null;
  readonly #restless = new AbortController();
  #child: ChildProcess | null = null;
  #output: Promise<unknown> = Promise.resolve();
  #errors = '';
  #isStopped = false;
  #done: Promise<void> = Promise.resolve();
  /** What it has said last of how far it is. */
  #position = { epoch: -1, revision: -1 };

  constructor(
    readonly name: string,
    private readonly program: string,
    private readonly parts: Omit<ProgramOptions, 'first'>,
    private readonly history: LibraryHistory,
    private readonly random: Random,
  ) {
    const isWatch = parts.kind.endsWith('watch');
    this.#watch = isWatch ? { name, lines: [] } : null;
    this.#cache = isWatch ? null : { name, shown: [] };
    if (this.#watch) history.watches.push(this.#watch);
    if (this.#cache) history.caches.push(this.#cache);
  }

  async start(): Promise<void> {
    await mkdir(this.parts.folder, { recursive: true });
    this.#spawn();
    this.#done = this.#unrest();
  }

  /** Whether it says that it has everything. */
  get isWhole(): boolean {
    const { epochs, epoch } = this.history;
    return this.#position.epoch === epochs.length - 1 && this.#position.revision >= epoch.last;
  }

  /** No pranks any more; it comes back. */
  async rest(): Promise<void> {
    this.#restless.abort();
    await this.#done;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.rest();
    await this.#kill();
  }

  async #unrest(): Promise<void> {
    const { random } = this;
    const { signal } = this.#restless;
    const wait = (ms: readonly [number, number]): Promise<unknown> =>
      pause(random.int(...ms), undefined, { signal }).catch(() => undefined);
    for (;;) {
      await wait(LIFE_MS);
      if (signal.aborted) break;
      const dice = random.next();
      if (dice < SHARES.freezes) {
        this.history.count('freezes');
        this.#child?.kill('SIGSTOP');
        await wait(FROZEN_MS);
        this.#child?.kill('SIGCONT');
        continue;
      }
      const isLong = dice >= SHARES.leaves;
      this.history.count(isLong ? 'long absences' : 'kills');
      await this.#kill();
      await wait(isLong ? LONG_MS : SHORT_MS);
      this.#spawn();
    }
  }

  #spawn(): void {
    if (this.#isStopped) return;
    const options: ProgramOptions = { ...this.parts, first: this.random.int(0, 1_000) };
    const child = spawn(process.execPath, [this.program, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#errors = '';
    this.#watch?.lines.push({ kind: 'start' });
    child.stderr.on('data', (data: Buffer) => (this.#errors = (this.#errors + String(data)).slice(-2_000)));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => this.#line(JSON.parse(line) as Line));
    this.#output = Promise.all([once(lines, 'close'), once(child, 'close')]);
    void this.#output.then(() => {
      if (this.#child === child) this.#remark(`its process has ended by itself: ${this.#errors}`);
    });
  }

  /** Ends with its last line. */
  async #kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill('SIGKILL');
    await this.#output;
  }

  #line(line: Line): void {
    const [kind, first, second, third] = line;
    const { history } = this;
    const lines = this.#watch?.lines;
    switch (kind) {
      case 'change':
        history.count('changes handled');
        return void lines?.push({ kind, digest: first as number, cursor: second as string });
      case 'saved':
        this.#position = placeOf(first as string);
        return void lines?.push({ kind, cursor: first as string });
      case 'initial':
        return void lines?.push({ kind, shadow: first as string, digest: second as number });
      case 'gone':
        return void lines?.push({ kind, reason: first as string, at: performance.now() });
      case 'forgotten':
        return void lines?.push({ kind });
      case 'shown':
        return this.#shown(first as number, second as boolean, third as readonly [string, number][]);
      case 'resync':
        return history.count(`cache: ${first as string}`);
      default:
        this.#remark(`${kind} at revision ${String(first)}`);
    }
  }

  #shown(revision: number, isLive: boolean, shown: readonly (readonly [string, number])[]): void {
    const { history } = this;
    const epoch = history.epochs.length - 1;
    history.count('states compared');
    if (isLive) this.#position = { epoch, revision };
    const states = new Map(shown.map(([name, digest]) => [history.names.of(name), digest]));
    this.#cache?.shown.push({ revision, epoch, isLive, states });
  }

  #remark(text: string): void {
    const promise = this.#watch ? PROMISES.library : PROMISES.libraryCache;
    this.history.remarks.push({ promise, text: `${this.name}: ${text}` });
  }
}
