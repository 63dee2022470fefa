import { setTimeout as pause } from 'node:timers/promises';
import type { FleetHistory, Promotion } from '../model/fleet-history.js';
import type { Random } from '../plans/random.js';
import { fateOf, jsonOf, send, type Request } from './request.js';
import type { Target } from './rest-caller.js';

const STAGED = 'staging';
/** Milliseconds between two writes of each, at most. */
const EDIT_MS = 150;
const PROMOTE_MS = 60;

interface Place {
  readonly thing: string;
  readonly from: string;
  readonly fromVersion: number;
  readonly version: number;
}

/** Stage, edit and promote the same things, all at once and through any node. */
export class Promoters {
  #isStopped = false;
  #done: Promise<unknown> = Promise.resolve();
  #next = 0;

  constructor(
    private readonly things: readonly string[],
    private readonly targets: readonly Target[],
    private readonly history: FleetHistory,
    private readonly random: Random,
  ) {}

  start(): void {
    const editors = this.things.flatMap((thing, i) => [
      this.#repeat(EDIT_MS, this.random.fork(`stager ${i}`), (random, id) => this.#stage(thing, random, id)),
      this.#repeat(EDIT_MS, this.random.fork(`editor ${i}`), (random, id) => this.#edit(thing, random, id)),
    ]);
    const promoters = [0, 1].map((i) =>
      this.#repeat(PROMOTE_MS, this.random.fork(`promoter ${i}`), (random, id) => this.#promote(random, id)),
    );
    this.#done = Promise.all([...editors, ...promoters]);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #repeat(ms: number, random: Random, act: (random: Random, id: string) => Promise<unknown>): Promise<void> {
    while (!this.#isStopped) {
      await act(random, `${this.things[0]}-p${this.#next++}`);
      await pause(ms * random.next());
    }
  }

  #send(request: Request, random: Random): ReturnType<typeof send> {
    return send(random.pick(this.targets).url, request);
  }

  /** Other members each time, so that members that stayed would show. */
  #stage(thing: string, random: Random, id: string): Promise<unknown> {
    const value = { mode: id, [`only${random.int(0, 4)}`]: id, levels: { [`l${random.int(0, 2)}`]: id } };
    const operations = [{ op: 'replace', thing, shadow: STAGED, section: 'desired', value }];
    return this.#send({ method: 'POST', path: '/v1/transactions', body: { operations, clientToken: id } }, random);
  }

  #edit(thing: string, random: Random, id: string): Promise<unknown> {
    const state = random.next() < 0.5 ? { desired: { manual: id } } : { reported: { seen: id } };
    return this.#send(
      { method: 'PATCH', path: `/v1/things/${thing}/shadow`, body: { state, clientToken: id } },
      random,
    );
  }

  /** One thing, or two in one transaction. */
  async #promote(random: Random, id: string): Promise<void> {
    const first = random.int(0, this.things.length - 1);
    const count = random.next() < 0.3 ? 2 : 1;
    const places: Place[] = [];
    for (let i = 0; i < count; i++) {
      const thing = this.things[(first + i) % this.things.length] as string;
      const [staged, live] = await Promise.all([
        this.#version(thing, STAGED, random),
        this.#version(thing, null, random),
      ]);
      if (staged === null || live === null) return;
      places.push({ thing, from: STAGED, fromVersion: staged, version: live });
    }
    const schema = { type: 'object', required: ['mode'] };
    const operations = places.map((place) => ({ op: 'promote', ...place, ...(random.next() < 0.3 && { schema }) }));
    const all = places.map((place): Promotion => ({ ...place, id, outcome: 'maybe' }));
    this.history.promotions.push(...all);
    const body = { operations, clientToken: id };
    const answer = await this.#send({ method: 'POST', path: '/v1/transactions', body }, random);
    const outcome = fateOf(answer);
    for (const each of all) each.outcome = outcome;
    this.history.count(`promotions ${outcome}`);
  }

  async #version(thing: string, name: string | null, random: Random): Promise<number | null> {
    const path = `/v1/things/${thing}/shadow${name === null ? '' : `?name=${name}`}`;
    const answer = await this.#send({ method: 'GET', path }, random);
    const { version } = jsonOf(answer) as { version?: number };
    return answer?.status === 200 ? (version ?? null) : null;
  }
}
