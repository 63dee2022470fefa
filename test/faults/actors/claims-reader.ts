import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdServer } from '../../harness/etcd.js';
import type { SeenClaim, SinkHistory, SinkName } from '../model/sink-history.js';

/** Milliseconds between two looks. */
const LOOK_MS = 50;
/** Of the keys by which nodes divide their work, and of the records of sinks. */
const CLUSTER = '/umbra/v1/cluster/';

/** Who owns which shard of which sink, as etcd has it. */
export class ClaimsReader {
  readonly #names = new Map<string, SinkName>();
  #now = new Map<string, SeenClaim>();
  #running = true;
  #done: Promise<void> = Promise.resolve();

  constructor(
    private readonly history: SinkHistory,
    private readonly etcd: EtcdServer,
  ) {}

  /** @throws Error when a sink is not there */
  async start(): Promise<void> {
    const records = await this.etcd.client.getAll().prefix(CLUSTER).strings();
    for (const sink of this.history.sinks) {
      const found = Object.entries(records).find(([key]) => key.endsWith(`/sinks/default/${sink}`));
      if (!found) throw new Error(`there is no record of the sink ${sink}`);
      this.#names.set((JSON.parse(found[1]) as { id: string }).id, sink);
    }
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  /** Instance by `sink/shard`. */
  get owners(): ReadonlyMap<string, string> {
    return new Map([...this.#now].map(([place, { instance }]) => [place, instance]));
  }

  /** Places of one node. No errors. */
  of(node: number): { readonly places: string[]; readonly instance: string } {
    const mine = [...this.owners].filter(([, instance]) => instance.startsWith(`lab-${node}.`));
    return { places: mine.map(([place]) => place), instance: mine[0]?.[1] ?? '' };
  }

  async #run(): Promise<void> {
    for (; this.#running; await pause(LOOK_MS)) {
      const asked = await this.etcd.client
        .getAll()
        .prefix(`${CLUSTER}sinks/claims/`)
        .exec()
        .catch(() => null);
      if (asked === null) continue;
      const now = new Map<string, SeenClaim>();
      for (const { key, value, mod_revision } of asked.kvs) {
        const [id = '', shard = ''] = (key.toString().split('/').at(-1) ?? '').split('.');
        const sink = this.#names.get(id);
        if (sink === undefined) continue;
        const place = `${sink}/${shard}`;
        const revision = Number(mod_revision);
        const known = this.#now.get(place);
        const claim = known?.revision === revision ? known : { instance: value.toString(), revision, at: Date.now() };
        if (claim !== known) this.#note(place, claim);
        now.set(place, claim);
      }
      this.#now = now;
    }
  }

  #note(place: string, claim: SeenClaim): void {
    const list = this.history.claims.get(place);
    if (list) list.push(claim);
    else this.history.claims.set(place, [claim]);
  }
}
