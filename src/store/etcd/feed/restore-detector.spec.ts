import type { Etcd3 } from 'etcd3';
import { Lineage } from '../lineage.js';
import { RestoreDetector } from './restore-detector.js';

/** The key of the epoch in an etcd, whose answers can be held back. */
class FakeEtcd {
  revision = 100;
  epoch: number | null = null;
  writes = 0;
  #changedAt = 0;
  /** What the read with this number waits for. */
  readonly holds = new Map<number, Promise<void>>();
  #reads = 0;

  readonly client = {
    kv: {
      range: async () => {
        await this.holds.get(++this.#reads);
        const value = Buffer.from(JSON.stringify({ epoch: this.epoch }));
        const kvs = this.epoch === null ? [] : [{ value, mod_revision: String(this.#changedAt) }];
        return { header: this.#header, kvs };
      },
      txn: async ({ compare, success }: { compare: { mod_revision: string }[]; success: unknown[] }) => {
        const succeeded = compare[0]!.mod_revision === String(this.#changedAt);
        const [put] = success as { request_put: { value: Buffer } }[];
        if (succeeded) this.enter((JSON.parse(String(put!.request_put.value)) as { epoch: number }).epoch);
        if (succeeded) this.writes++;
        return { header: this.#header, succeeded };
      },
    },
  } as unknown as Etcd3;

  get #header() {
    return { cluster_id: 'c', revision: String(this.revision) };
  }

  /** What a write of any node makes. */
  enter(epoch: number): void {
    this.epoch = epoch;
    this.#changedAt = ++this.revision;
  }
}

function detecting() {
  const etcd = new FakeEtcd();
  const lineage = new Lineage();
  const calls = { read: <T>(call: (client: Etcd3) => Promise<T>) => call(etcd.client) };
  const logger = { warn: () => undefined } as never;
  return { etcd, lineage, detector: new RestoreDetector(calls, '/p/', lineage, logger) };
}

it('counts a restored backup', async () => {
  const { etcd, detector } = detecting();
  expect(await detector.head()).toEqual({ cluster: 'c', epoch: 0, revision: 100 });
  etcd.revision = 10;
  expect((await detector.head()).epoch).toBe(1);
  expect([etcd.epoch, etcd.writes]).toEqual([1, 2]);
});

it('counts it once when another node has, and another call of this node finds that first', async () => {
  const { etcd, detector } = detecting();
  await detector.head();
  etcd.revision = 10;
  let release!: () => void;
  // The second read of the call that is in doubt.
  etcd.holds.set(3, new Promise((resolve) => (release = resolve)));
  const doubting = detector.head();
  await new Promise((resolve) => setImmediate(resolve));
  etcd.enter(1);
  expect((await detector.head()).epoch).toBe(1);
  release();
  expect((await doubting).epoch).toBe(1);
  expect([etcd.epoch, etcd.writes]).toEqual([1, 0]);
});
