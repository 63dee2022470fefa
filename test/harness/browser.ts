import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import type { Duplex } from 'node:stream';

const PROGRAM = ['chromium', 'chromium-browser', 'google-chrome']
  .flatMap((name) => (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)))
  .find((path) => existsSync(path));

/** As `describe`; skipped, under a name that says why, where no browser is installed. In CI that is a failure. */
export function describeInBrowser(name: string, tests: () => void): void {
  if (PROGRAM !== undefined || process.env['CI']) describe(name, tests);
  else describe.skip(`${name} (Chromium is not installed: apt-get install chromium)`, tests);
}

/** Milliseconds for an answer of the browser, and for a promise of a page. */
const TIMEOUT_MS = 120_000;

/**
 * Nothing that asks the network or the desktop. Tabs in the background run like the one in front, since a test has
 * several; the sandbox needs rights that containers lack, and the pages are our own.
 */
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-proxy-server'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions'],
  ...['--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--remote-debugging-pipe'],
  '--disable-backgrounding-occluded-windows',
];

export interface Page {
  /** What the page has written to its console, a line each. */
  readonly console: readonly string[];
  /** Errors that nobody caught, promises that nobody waited for included. */
  readonly exceptions: readonly string[];
  /**
   * The value of an expression in the page, as JSON carries it; of a promise, what it resolves to.
   * @throws Error of the page, with its stack
   */
  evaluate<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

export interface Browser {
  readonly pid: number;
  /** A new tab, loaded. All tabs share one profile: storage, locks and channels. */
  open(url: string): Promise<Page>;
  stop(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** @throws Error of the browser, or that it has ended */
type Send = (method: string, params?: object, sessionId?: string) => Promise<Record<string, unknown>>;

/** Chromium without a window, with a profile of its own, spoken to by a pipe: no port is open. */
export async function startBrowser(flags: readonly string[] = []): Promise<Browser> {
  if (PROGRAM === undefined) throw new Error('Chromium is not installed: apt-get install chromium');
  const profile = await mkdtemp(join(tmpdir(), 'umbra-browser-'));
  const child = spawn(PROGRAM, [...FLAGS, `--user-data-dir=${profile}`, ...flags, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    // Its processes are ended together, by the id of their group.
    detached: true,
  });
  const kill = (): void => killGroup(child);
  process.once('exit', kill);
  const protocol = new Protocol(child);
  await protocol.send('Browser.getVersion');
  return {
    pid: child.pid!,
    open: (url) => openPage(protocol, url),
    async stop() {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
      await protocol.send('Browser.close').catch(kill);
      await ended;
      kill();
      process.removeListener('exit', kill);
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // All have ended.
  }
}

async function openPage(protocol: Protocol, url: string): Promise<Page> {
  const { targetId } = await protocol.send('Target.createTarget', { url: 'about:blank' });
  const attached = await protocol.send('Target.attachToTarget', { targetId, flatten: true });
  const sessionId = attached['sessionId'] as string;
  const send: Send = (method, params) => protocol.send(method, params, sessionId);
  const console: string[] = [];
  const exceptions: string[] = [];
  const loaded = new Promise<void>((resolve) =>
    protocol.listen(sessionId, (method, params) => {
      if (method === 'Page.loadEventFired') resolve();
      if (method === 'Runtime.consoleAPICalled') console.push(lineOf(params as never));
      if (method === 'Runtime.exceptionThrown') exceptions.push(errorOf(params['exceptionDetails'] as never));
    }),
  );
  await send('Page.enable');
  await send('Runtime.enable');
  const { errorText } = (await send('Page.navigate', { url })) as { readonly errorText?: string };
  if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  await loaded;
  return {
    console,
    exceptions,
    async evaluate<T>(expression: string) {
      const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
      const { result, exceptionDetails } = (await send('Runtime.evaluate', options)) as Partial<Evaluated>;
      if (exceptionDetails) throw new Error(errorOf(exceptionDetails));
      return result?.value as T;
    },
    async close() {
      await protocol.send('Target.closeTarget', { targetId });
    },
  };
}

interface Remote {
  readonly value?: unknown;
  readonly description?: string;
  readonly type?: string;
}

interface Thrown {
  readonly text: string;
  readonly exception?: Remote;
}

interface Evaluated {
  readonly result: Remote;
  readonly exceptionDetails?: Thrown;
}

const lineOf = ({ args }: { readonly args: readonly Remote[] }): string =>
  args.map(({ value, description, type }) => String(value ?? description ?? type)).join(' ');

const errorOf = ({ text, exception }: Thrown): string =>
  `${text} ${exception?.description ?? JSON.stringify(exception?.value)}`;

/** The Chrome DevTools Protocol over the pipe: JSON, each message ended by a NUL. */
class Protocol {
  readonly #out: Duplex;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Map<string, (method: string, params: Record<string, unknown>) => void>();
  #id = 0;
  #text = '';
  #errors = '';

  constructor(child: ChildProcess) {
    const [, , errors, out, from] = child.stdio as unknown as Duplex[];
    this.#out = out!;
    errors!.setEncoding('utf8').on('data', (text: string) => (this.#errors = (this.#errors + text).slice(-5_000)));
    from!.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    out!.on('error', () => this.#end());
    child.on('error', () => this.#end());
    child.on('exit', () => this.#end());
  }

  listen(sessionId: string, listener: (method: string, params: Record<string, unknown>) => void): void {
    this.#listeners.set(sessionId, listener);
  }

  readonly send: Send = async (method, params = {}, sessionId) => {
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    const { result, error } = await new Promise<Message>((resolve) => {
      this.#waiting.set(id, resolve);
      timer = setTimeout(() => resolve({ error: { message: `no answer in ${TIMEOUT_MS} ms` } }), TIMEOUT_MS);
      this.#out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
    clearTimeout(timer);
    this.#waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  };

  #take(text: string): void {
    const messages = (this.#text + text).split('\0');
    this.#text = messages.pop() ?? '';
    for (const each of messages) {
      const message = JSON.parse(each) as Message;
      const { id, sessionId, method, params } = message;
      if (id !== undefined) this.#waiting.get(id)?.(message);
      else if (method !== undefined) this.#listeners.get(sessionId ?? '')?.(method, params ?? {});
    }
  }

  #end(): void {
    const message = `the browser has ended:\n${this.#errors}`;
    for (const resolve of this.#waiting.values()) resolve({ error: { message } });
  }
}
