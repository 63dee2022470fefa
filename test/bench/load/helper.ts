import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

type Answers = Map<number, { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void }>;

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/**
 * A part of the load that runs as a process of its own: for more sockets than one process may have, or for an event loop
 * that nothing else holds up. It ends with its parent.
 */
export class Helper {
  readonly #waiting: Answers = new Map();
  #last = 0;

  private constructor(private readonly child: ChildProcess) {
    child.on('message', ({ id, result, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    child.on('exit', (code, signal) => this.#fail(new Error(`a process of the load ended: ${code ?? signal}`)));
    child.on('error', (error) => this.#fail(error));
  }

  /** @param program in this folder, without its ending; it calls `serve` */
  static start(program: string): Helper {
    return new Helper(fork(join(fileURLToPath(import.meta.url), '..', `${program}.js`)));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** @throws Error what the program throws, or that it has ended */
  ask<T>(what: string, argument: unknown = null): Promise<T> {
    if (!this.child.connected) return Promise.reject(new Error('a process of the load has ended'));
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.child.send({ id, what, argument });
    });
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** What a program of the load can be asked. */
export type Services = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

/** For the program: answers its parent until that is gone. */
export function serve(services: Services): void {
  process.on('message', ({ id, what, argument }: { id: number; what: string; argument: never }) => {
    const service = services[what];
    const answer = service ? service(argument) : Promise.reject(new Error(`no such service: ${what}`));
    answer.then(
      (result) => process.send?.({ id, result: result ?? null }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}
