import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** Milliseconds between two looks at the files. Whoever renews certificates does so days before they expire. */
const PERIOD_MS = 5_000;
/** Bytes of one file: a chain of certificates takes a few thousand. */
const MAX_FILE_BYTES = 1024 * 1024;
/** Has the files looked at now. A process that watches none ends with it, as ever. */
const RELOAD = 'SIGHUP';

export interface WatchedFilesParts {
  /** Is given the contents in the order of the paths. What it throws is a failure. */
  readonly use: (contents: readonly Buffer[]) => void;
  /** The files could not be read or used: what was used before goes on. It must not throw. */
  readonly onFailed: (error: unknown) => void;
  /** Somebody has asked for a look, and nothing has changed. */
  readonly onSame: () => void;
  readonly periodMs?: number | undefined;
  /** How a file is read; tests set it. */
  readonly read?: (path: string) => Promise<Buffer>;
}

/**
 * What has become of a look. What could not be read may be read the next time, when there are file descriptors again; what
 * was refused is tried again when somebody asks, who may have removed the cause elsewhere.
 */
type Outcome = 'used' | 'refused' | 'unread';

/** Files that belong together, such as a certificate and its key. They are read again when they change. */
export class WatchedFiles {
  /** What the files were like when they were last tried. */
  #tried: string;
  #outcome: Outcome = 'used';
  /** What they were like at the last look. */
  #seen: string;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();
  readonly #hurry = (): void => void this.#next(true);

  /** @throws Error of node:fs for a file that cannot be read */
  constructor(
    private readonly paths: readonly string[],
    private readonly parts: WatchedFilesParts,
  ) {
    // Before the files are read: a change between the two is found later, and not missed.
    this.#tried = this.#seen = paths.map((path) => describe(statSync(path, { bigint: true }))).join();
  }

  /** @throws Error of node:fs for a file that cannot be read */
  read(): readonly Buffer[] {
    return this.paths.map((path) => readFileSync(path));
  }

  /** Looks at intervals, and at once when the process gets SIGHUP. Nothing keeps the process alive. */
  start(): void {
    process.on(RELOAD, this.#hurry);
    this.#plan();
  }

  /** No errors. */
  stop(): void {
    process.off(RELOAD, this.#hurry);
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #plan(): void {
    const { periodMs = PERIOD_MS } = this.parts;
    const look = (): void => void this.#next(false).finally(() => this.#timer && this.#plan());
    this.#timer = setTimeout(look, periodMs).unref();
  }

  #next(isAsked: boolean): Promise<void> {
    return (this.#looking = this.#looking.then(() => this.#look(isAsked)));
  }

  /** Never rejects. @param isAsked whether somebody waits for it, who has written all of the files */
  async #look(isAsked: boolean): Promise<void> {
    const now = await describeAll(this.paths);
    // They are written one after the other, so they must have been left alone for one period.
    const isSettled = now === this.#seen || isAsked;
    this.#seen = now;
    const isSame = now === this.#tried;
    if (isSame && this.#outcome === 'used') return isAsked ? this.parts.onSame() : undefined;
    if (isSame && this.#outcome === 'refused' && !isAsked) return;
    if (!isSettled) return;
    this.#tried = now;
    const error = await this.#try();
    // Said once, however often it is tried; whoever asks is answered.
    if (this.#outcome !== 'used' && (!isSame || isAsked)) this.parts.onFailed(error);
  }

  /** Never rejects. @returns why the files are not used */
  async #try(): Promise<unknown> {
    this.#outcome = 'unread';
    try {
      const contents = await Promise.all(this.paths.map(this.parts.read ?? contentOf));
      this.#outcome = 'refused';
      this.parts.use(contents);
      this.#outcome = 'used';
      return null;
    } catch (error) {
      return error;
    }
  }
}

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
async function describeAll(paths: readonly string[]): Promise<string> {
  const one = (path: string): Promise<string> =>
    stat(path, { bigint: true }).then(describe, ({ code }: NodeJS.ErrnoException) => code ?? 'unreadable');
  return (await Promise.all(paths.map(one))).join();
}

async function contentOf(path: string): Promise<Buffer> {
  if ((await stat(path)).size > MAX_FILE_BYTES) throw new Error(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
  return readFile(path);
}
