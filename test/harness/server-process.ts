import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { until } from './until.js';

/** A server of a test that can be killed and started again; ended by its process id. */
export class ServerProcess {
  #child: ChildProcess | null = null;
  #output = '';
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL');

  /** @param answers whether the server takes requests */
  constructor(
    private readonly program: string,
    private readonly args: readonly string[],
    private readonly answers: () => Promise<boolean>,
  ) {
    process.once('exit', this.#killAtExit);
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  async start(): Promise<void> {
    const child = spawn(this.program, this.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-20_000)));
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    failed.catch(() => undefined);
    const ready = until(
      () => `${this.program} answers:\n${this.#output}`,
      () => {
        if (child.exitCode !== null) throw new Error(`${this.program} ended at start:\n${this.#output}`);
        return this.answers();
      },
    );
    await Promise.race([ready, failed]);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    // A stopped process only takes SIGKILL.
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }

  /** Ends it in order, and forgets it. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
    process.removeListener('exit', this.#killAtExit);
  }
}
