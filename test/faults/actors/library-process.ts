import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClientEvent, ClientHistory } from '../model/client-history.js';
import { shadowId } from '../model/history.js';
import { SHADOWS, type Command, type LampSpec, type ProgramSpec } from './library/spec.js';

const PROGRAM = join(import.meta.dirname, 'library', 'program.ts');
/** Milliseconds for what was closed to end, and for the process then to end by itself. */
const LEAVES_MS = 60_000;
const EXITS_MS = 10_000;

export type ProcessSpec = Omit<ProgramSpec, 'lamps'> & { readonly lamps: readonly Omit<LampSpec, 'next'>[] };

/** A process with devices and applications that use the client library. */
export class LibraryProcess {
  #child: ChildProcess | null = null;
  #life = '';
  #lives = 0;
  #left: readonly string[] | null = null;
  /** Its end is part of the plan. */
  #isExpected = false;

  constructor(
    readonly name: string,
    private readonly spec: ProcessSpec,
    private readonly history: ClientHistory,
  ) {}

  start(): void {
    const { history } = this;
    const life = `${this.name} ${++this.#lives}`;
    const isKept = this.spec.outboxes !== null;
    const child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    [this.#child, this.#life, this.#isExpected] = [child, life, false];
    child.on('message', (event: ClientEvent) => {
      if (event.type === 'begin') history.begin(event, { life, isKept });
      else if (event.type === 'end') history.end(event);
      else if (event.type === 'run') history.run(life, event);
      else if (event.type === 'trouble') history.troubles.push(`${life}: ${event.text}`);
      else this.#left = event.leaks;
    });
    child.on('exit', (code, signal) => {
      if (!this.#isExpected) history.troubles.push(`${life} has ended with ${signal ?? code}`);
    });
    child.send({ ...this.spec, seed: this.spec.seed + this.#lives, lamps: this.#lamps() } satisfies ProgramSpec);
  }

  /** What it has told so far is known; what it had under way, nobody knows. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    this.#isExpected = true;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
    this.history.killed(this.#life);
  }

  rest(): void {
    this.#child?.send('rest' satisfies Command);
  }

  /** @returns what it has left behind */
  async leave(): Promise<readonly string[]> {
    const child = this.#child;
    if (!child) return [];
    this.#isExpected = true;
    child.send('leave' satisfies Command);
    const from = performance.now();
    while (this.#left === null && performance.now() - from < LEAVES_MS) await pause(50);
    if (this.#left === null) return ['it has not left: something that was to be closed goes on'];
    for (const told = performance.now(); child.exitCode === null && performance.now() - told < EXITS_MS;)
      await pause(50);
    return [...this.#left, ...(child.exitCode === null ? ['something keeps the process from ending'] : [])];
  }

  #lamps(): readonly LampSpec[] {
    return this.spec.lamps.map((lamp) => {
      const ids = SHADOWS.map((name) => shadowId(lamp.thing, name));
      return { ...lamp, next: Object.fromEntries(ids.map((id) => [id, this.history.next('report', id)])) };
    });
  }
}
