import { setTimeout as pause } from 'node:timers/promises';
import type { ExactHistory } from '../model/exact-history.js';
import { shadowId } from '../model/history.js';
import type { Random } from '../plans/random.js';
import type { Target } from './rest-caller.js';

const THINGS = 20;
const NAMES = [null, 'cfg', 'door', 'other'] as const;
/** At least; and requests a second of one of them. */
const WRITERS = 10;
const PACE = 10;
/** Shadows of one transaction, and milliseconds for an answer. */
const TOGETHER = [2, 6] as const;
const ANSWER_MS = 8_000;

interface Place {
  readonly thing: string;
  readonly name: string | null;
}

/** Writes all that a filter can tell apart, at a steady rate, through any node. What becomes of it, etcd tells. */
export class FleetWriters {
  #isStopped = false;
  /** Resolves when they may write. */
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;
  #writing = 0;
  #done: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly prefix: string,
    private readonly targets: readonly Target[],
    private readonly history: Pick<ExactHistory, 'acked' | 'count'>,
    private readonly random: Random,
    /** Requests a second. */
    private readonly rate: number,
  ) {}

  start(): void {
    const writers = Array.from({ length: this.#writers }, (_, i) =>
      this.#write(`w${i}`, this.random.fork(`writer ${i}`)),
    );
    this.#done = Promise.all(writers);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.resume();
    await this.#done;
  }

  /** Writes nothing more until `resume`. Ends when all that was sent is answered, or given up. */
  async pause(): Promise<void> {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
    while (this.#writing > 0) await pause(10);
  }

  resume(): void {
    this.#open();
  }

  get #writers(): number {
    return Math.max(WRITERS, Math.ceil(this.rate / PACE));
  }

  async #write(name: string, random: Random): Promise<void> {
    const everyMs = (this.#writers * 1_000) / this.rate;
    let due = performance.now() + everyMs * random.next();
    for (let n = 1; !this.#isStopped; n++) {
      await this.#gate;
      this.#writing++;
      await this.#one(`${this.prefix}${name}-${n}`, n, random);
      this.#writing--;
      due = Math.max(due + everyMs, performance.now() - everyMs);
      await pause(Math.max(0, due - performance.now()));
    }
  }

  async #one(token: string, n: number, random: Random): Promise<void> {
    const { url } = random.pick(this.targets);
    const dice = random.next();
    if (dice < 0.06) return this.#together(url, token, n, random);
    const place = this.#place(random);
    const { thing, name } = place;
    const path = `${url}/v1/things/${thing}/shadow${name === null ? '' : `?name=${name}`}`;
    if (dice < 0.1) return void (await this.#send(path, 'DELETE', { clientToken: token }));
    const answer = await this.#send(path, 'PATCH', { state: stateOf(n, random), clientToken: token });
    this.#acked(token, place, answer?.['version']);
  }

  async #together(url: string, token: string, n: number, random: Random): Promise<void> {
    const places = new Map<string, Place>();
    const wanted = random.int(...TOGETHER);
    while (places.size < wanted) {
      const place = this.#place(random);
      places.set(shadowId(place.thing, place.name), place);
    }
    const all = [...places.values()];
    const operations = all.map(({ thing, name }) => ({
      op: 'update',
      thing,
      ...(name !== null && { shadow: name }),
      state: stateOf(n, random),
    }));
    const answer = await this.#send(`${url}/v1/transactions`, 'POST', { operations, clientToken: token });
    const results = (answer?.['results'] ?? []) as { version: number }[];
    results.forEach(({ version }, i) => this.#acked(token, all[i] as Place, version));
  }

  #place(random: Random): Place {
    return { thing: `${this.prefix}${random.int(0, THINGS - 1)}`, name: random.pick(NAMES) };
  }

  #acked(token: string, { thing, name }: Place, version: unknown): void {
    if (typeof version === 'number') this.history.acked.push({ token, shadow: shadowId(thing, name), version });
  }

  /** null: it was refused, or nobody knows. */
  async #send(url: string, method: string, body: object): Promise<Record<string, unknown> | null> {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(url, { method, body: JSON.stringify(body), signal });
      const answer = (await response.json()) as Record<string, unknown>;
      this.history.count(response.status === 200 ? 'writes' : `refused: ${response.status}`);
      return response.status === 200 ? answer : null;
    } catch {
      this.history.count('unanswered');
      return null;
    }
  }
}

/** Sometimes what is there already, so that the change is not a real one; sometimes what removes members or sections. */
function stateOf(n: number, random: Random): object {
  switch (random.int(0, 9)) {
    case 0:
      return { desired: { mode: 'same' }, reported: { mode: 'same' } };
    case 1:
      return { desired: { mode: 'same' } };
    case 2:
      return { desired: { mode: random.pick(['day', 'night']) } };
    case 3:
      return { reported: { mode: random.pick(['day', 'night']), t: n } };
    case 4:
      return { reported: { net: null } };
    case 5:
      return { desired: null };
    case 6:
      return { reported: { net: { rssi: random.int(-90, -30) } } };
    case 7:
      return { desired: { limits: { low: n % 7, high: random.int(0, 9) } } };
    case 8:
      return { desired: { limits: { low: null } }, reported: { t: random.int(0, 3) } };
    default:
      return { reported: { net: { ssid: `n${n % 3}` }, t: n } };
  }
}
