import { setTimeout as pause } from 'node:timers/promises';
import { stepOf } from '../model/history.js';
import type { SinkHistory, SinkWrite } from '../model/sink-history.js';
import type { Random } from '../plans/random.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from '../validate/promises.js';
import { outcomeOf, type Problem } from './rest-caller.js';

/** Milliseconds for an answer: beyond what a node itself waits. */
const ANSWER_MS = 8_000;
/** Milliseconds between two looks at what is due. */
const TICK_MS = 10;
/** Requests at once; a node that is away must not gather them without end. */
const MAX_OPEN = 200;
/** Share of the writes that delete. */
const DELETES = 0.02;
/** Milliseconds for the last write of each shadow. */
const LAST_MS = 60_000;

export interface SinkWriterOptions {
  readonly nodes: readonly LabNode[];
  /** Whether a node serves, as far as the plan knows. */
  readonly serves: (node: LabNode) => boolean;
  readonly key: string;
  /** Writes a second. */
  readonly rate: number;
  readonly shadows: number;
  readonly random: Random;
}

/** Writes to all shadows at a steady rate, through any node, and notes what is known of each write. */
export class SinkWriter {
  readonly shadows: readonly string[];
  #running = true;
  #open = 0;
  #count = 0;
  #done: Promise<void> = Promise.resolve();

  constructor(
    private readonly history: SinkHistory,
    private readonly options: SinkWriterOptions,
  ) {
    // Half of them are the named shadow of a thing.
    this.shadows = Array.from({ length: options.shadows }, (_, i) => `lamp-${i >> 1}${i % 2 === 0 ? '' : '/settings'}`);
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Ends with an acknowledged update of each shadow: the step of the last one is how many there must be. */
  async finish(): Promise<ReadonlyMap<string, number>> {
    this.#running = false;
    await this.#done;
    const last = new Map<string, number>();
    const waiting = [...this.shadows];
    const work = async (): Promise<void> => {
      for (let shadow = waiting.pop(); shadow !== undefined; shadow = waiting.pop())
        last.set(shadow, await this.#writeSurely(shadow));
    };
    await Promise.all(Array.from({ length: 16 }, work));
    return last;
  }

  async #run(): Promise<void> {
    const { rate, random } = this.options;
    const from = performance.now();
    let due = 0;
    for (; this.#running; await pause(TICK_MS)) {
      const now = ((performance.now() - from) * rate) / 1_000;
      for (; due < now; due++) {
        const [shadow, deletes] = [random.pick(this.shadows), random.next() < DELETES];
        const node = random.pick(this.options.nodes.filter(this.options.serves));
        if (this.#open < MAX_OPEN) void this.#write(shadow, deletes, node);
      }
    }
    while (this.#open > 0) await pause(TICK_MS);
  }

  async #writeSurely(shadow: string): Promise<number> {
    for (const from = performance.now(); performance.now() - from < LAST_MS; await pause(50)) {
      const { step } = await this.#write(shadow, false, this.options.random.pick(this.options.nodes));
      if (step !== null) return step;
    }
    this.history.remark(PROMISES.serves, `no node takes an update of ${shadow}`);
    return 0;
  }

  async #write(shadow: string, deletes: boolean, node: LabNode): Promise<SinkWrite> {
    const token = `w${++this.#count}`;
    const write: SinkWrite = { shadow, token, outcome: 'maybe', step: null, revision: null };
    this.history.writes.push(write);
    const [thing = '', name] = shadow.split('/');
    const update = { state: { reported: { n: this.#count, text: 'x'.repeat(100) } } };
    this.#open++;
    try {
      const response = await fetch(
        `${node.httpUrl}/v1/things/${thing}/shadow${name === undefined ? '' : `?name=${name}`}`,
        {
          method: deletes ? 'DELETE' : 'PATCH',
          headers: { authorization: `Bearer ${this.options.key}` },
          body: JSON.stringify({ ...(deletes ? {} : update), clientToken: token }),
          signal: AbortSignal.timeout(ANSWER_MS),
        },
      );
      const answer = (await response.json()) as Problem & { version?: number };
      write.outcome = outcomeOf(response.status, answer);
      if (write.outcome === 'acked' && answer.version !== undefined) {
        write.step = stepOf({ version: answer.version, deleted: deletes });
        write.revision = Number(response.headers.get('umbra-revision'));
      }
    } catch {
      // Its outcome is not known: what the sinks have of it is right.
    } finally {
      this.#open--;
    }
    return write;
  }
}
