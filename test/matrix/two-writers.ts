import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Servers } from './servers.js';

/** Milliseconds between two looks. */
const LOOK_MS = 100;
/** Milliseconds in which a server that takes a write says so. */
const ANSWER_MS = 300;

export interface TwoWritersFound {
  /** Milliseconds in all. */
  readonly ms: number;
  /** On the monotonic clock; null: never. */
  readonly first: number | null;
  readonly last: number;
}

/**
 * Asks every server all the time whether it takes a write, and counts the time in which two did so, each by itself. A
 * member of etcd passes writes on, so there it counts when one acknowledges for an older term than another has before.
 */
export class TwoWriters {
  #stopped = false;
  #ms = 0;
  #first: number | null = null;
  #last = 0;
  #newestTerm = { term: 0n, at: Infinity };
  readonly #running: Promise<void>[] = [];
  readonly #ends: (() => void)[] = [];

  constructor(private readonly servers: Servers) {}

  start(): void {
    const { etcd, redis } = this.servers;
    for (const [i] of etcd.entries()) this.#running.push(this.#askMember(i));
    if (redis) this.#running.push(this.#askServers(redis.servers));
  }

  /** Never rejects. */
  async stop(): Promise<TwoWritersFound> {
    this.#stopped = true;
    await Promise.all(this.#running);
    for (const end of this.#ends) end();
    return { ms: this.#ms, first: this.#first, last: this.#last };
  }

  async #askServers(servers: readonly { readonly host: string; readonly port: number }[]): Promise<void> {
    const clients = servers.map(({ host, port }) => {
      const times = { connectTimeout: ANSWER_MS, commandTimeout: ANSWER_MS, retryStrategy: () => LOOK_MS };
      const redis = new Redis({ host, port, ...times, maxRetriesPerRequest: 0, enableReadyCheck: false });
      redis.on('error', () => undefined);
      this.#ends.push(() => redis.disconnect());
      return redis;
    });
    while (!this.#stopped) {
      const from = performance.now();
      const next = pause(LOOK_MS);
      const taken = await Promise.all(
        clients.map((redis, i) =>
          redis.set(`matrix:probe:${i}`, '1').then(
            () => true,
            () => false,
          ),
        ),
      );
      await next;
      if (taken.filter(Boolean).length > 1) this.#note(from);
    }
  }

  #note(from: number): void {
    this.#first ??= from;
    this.#last = performance.now();
    this.#ms += this.#last - from;
  }

  async #askMember(i: number): Promise<void> {
    while (!this.#stopped) {
      const from = performance.now();
      const next = pause(LOOK_MS);
      const member = this.servers.etcd[i];
      const put = { key: Buffer.from(`/matrix-probe/${i}`), value: Buffer.from('1') };
      const answer = await member?.client.kv.put(put).catch(() => null);
      await next;
      if (!answer) continue;
      const term = BigInt(answer.header.raft_term);
      if (term > this.#newestTerm.term) this.#newestTerm = { term, at: performance.now() };
      else if (term < this.#newestTerm.term && from > this.#newestTerm.at) this.#note(from);
    }
  }
}
