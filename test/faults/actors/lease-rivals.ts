import { setTimeout as pause } from 'node:timers/promises';
import type { FleetHistory } from '../model/fleet-history.js';
import type { Random } from '../plans/random.js';
import { fateOf, HeldRequest, jsonOf, send, type Request } from './request.js';
import type { Target } from './rest-caller.js';

/** The shortest that there is, in seconds. */
const TTL_SECONDS = 10;
const THINGS = 3;
/** Milliseconds between attempts to take a lease that another one has, and between writes. */
const AGAIN_MS = 200;
const BETWEEN_MS = 30;

interface Held {
  readonly id: string;
  readonly token: number;
  /** A node that knows the lease. */
  readonly target: Target;
}

/**
 * Controllers that command the same things one after the other. Each is stopped with writes on their way, which come to
 * the node when its successor has the lease, and some go on writing until they are refused.
 */
export class LeaseRivals {
  #isStopped = false;
  #done: Promise<void> = Promise.resolve();
  #next = 0;

  constructor(
    /** Name of the things but for their number. */
    private readonly group: string,
    private readonly targets: readonly Target[],
    private readonly history: FleetHistory,
    private readonly random: Random,
  ) {}

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    let held = await this.#take();
    while (held !== null && !this.#isStopped) {
      for (let i = 0; i < THINGS; i++) await send(held.target.url, this.#write(held, i));
      const requests = this.#onTheirWay(held);
      // Half of them live on, and do not know that their time is over.
      const busy = this.random.next() < 0.5 ? this.#writeUntilRefused(held) : null;
      // Given back, a lease is free at once; without a word it lasts as long as it may.
      if (this.random.next() < 0.6) await send(this.#target().url, { method: 'DELETE', path: `/v1/leases/${held.id}` });
      const next = await this.#take();
      if (next === null) return void (await busy);
      await send(next.target.url, this.#write(next, 0));
      await Promise.all(requests.map(([how, id, request]) => this.#release(held as Held, how, id, request)));
      await busy;
      this.history.count('leases that passed on');
      held = next;
    }
  }

  #target(): Target {
    return this.random.pick(this.targets);
  }

  /** null: it is stopped. */
  async #take(): Promise<Held | null> {
    const body = { things: [`${this.group}-*`], ttlSeconds: TTL_SECONDS };
    while (!this.#isStopped) {
      const target = this.#target();
      const answer = await send(target.url, { method: 'POST', path: '/v1/leases', body });
      const { lease, token } = jsonOf(answer) as { lease?: string; token?: number };
      if (answer?.status === 201 && lease !== undefined && token !== undefined) {
        this.history.leases.push({ group: this.group, token });
        return { id: lease, token, target };
      }
      await pause(AGAIN_MS);
    }
    return null;
  }

  #id(): string {
    return `${this.group}-w${this.#next++}`;
  }

  #write({ id: lease, token }: Held, thing: number, clientToken = this.#id()): Request {
    const state = { desired: { token, by: clientToken } };
    const path = `/v1/things/${this.group}-${thing}/shadow`;
    return { method: 'PATCH', path, headers: { 'umbra-lease': lease }, body: { state, clientToken } };
  }

  #together(held: Held, clientToken: string): Request {
    const operations = [0, 1].map((i) => ({
      op: 'update',
      thing: `${this.group}-${i}`,
      state: { desired: { token: held.token, by: clientToken } },
    }));
    const headers = { 'umbra-lease': held.id };
    return { method: 'POST', path: '/v1/transactions', headers, body: { operations, clientToken } };
  }

  #onTheirWay(held: Held): [how: string, id: string, request: HeldRequest][] {
    const [plain, keyed, together] = [this.#id(), this.#id(), this.#id()];
    const write = this.#write(held, 1, keyed);
    return [
      ['update', plain, new HeldRequest(this.#write(held, 0, plain))],
      ['with a key', keyed, new HeldRequest({ ...write, headers: { ...write.headers, 'idempotency-key': keyed } })],
      ['transaction', together, new HeldRequest(this.#together(held, together))],
    ];
  }

  async #release({ target }: Held, how: string, id: string, request: HeldRequest): Promise<void> {
    const status = await request.release(target.url);
    this.history.late.push({ id, how, status });
    this.history.count(`late: ${status ?? 'no answer'}`);
  }

  async #writeUntilRefused(held: Held): Promise<void> {
    for (let n = 0; !this.#isStopped; n++) {
      const answer = await send(this.#target().url, this.#write(held, n % THINGS));
      if (answer?.status === 409 && fateOf(answer) === 'rejected') return;
      await pause(BETWEEN_MS);
    }
  }
}
