import { jest } from '@jest/globals';
import { MemoryClusterKeys } from '../../test/harness/memory-cluster-keys.js';
import { presenceUpdate } from '../../test/harness/presence-record.js';
import { until } from '../../test/harness/until.js';
import { CLAIMS } from '../cluster/instances.js';
import type { Position } from '../store/position.js';
import { FeedGap, type FeedBatch, type ShadowFeed } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { SinkCursors } from './sink-cursors.js';
import { SinkRunner } from './sink-runner.js';

const at = (revision: number): Position => ({ cluster: 'c', epoch: 0, revision });
const SHARDS = ['p/0', 'p/1'];

/** A log of revisions; even ones are of shard 0. */
class Log implements ShadowFeed {
  readonly hasPresence = true;
  revision = 100;
  compacted = 0;
  /** Revisions that are of a client, and of no shadow. */
  readonly clients = new Set<number>();
  readonly health = { ok: true, reason: '' };

  head(): Promise<Position> {
    return Promise.resolve(at(this.revision));
  }

  base(): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    const records = [this.record(this.revision), this.record(this.revision - 1)];
    const all = async function* () {
      yield* records;
    };
    return Promise.resolve({ position: at(this.revision), records: all() });
  }

  async *after(position: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    if (position.revision < this.compacted) throw new FeedGap('compacted');
    for (let next = position.revision + 1; !signal.aborted;) {
      if (next <= this.revision) yield { position: at(next), records: [this.record(next++)] };
      else await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  record(revision: number): ShadowRecord {
    if (this.clients.has(revision)) return presenceUpdate('lamp', 's', at(revision), true, 't');
    const key = { tenant: 't', thing: String(revision), name: null };
    return { key, position: at(revision), change: { at: 0 } } as ShadowRecord;
  }
}

/** Puts the claims of a node, whoever held them before. */
async function claim(keys: MemoryClusterKeys, id: string, shards: readonly string[]): Promise<void> {
  await keys.commit({ guards: [], puts: shards.map((shard) => ({ key: CLAIMS + shard, value: id })) });
}

/** One node: its runner, and what its sink was given. */
class Node {
  readonly given: number[] = [];
  readonly converged: number[] = [];
  /** Of each change, or record of the present state, that was given last. */
  readonly readings = new Map<number, AbortSignal>();
  readonly runner: SinkRunner;
  #stuck: (() => void)[] = [];
  isStuck = false;

  constructor(
    private readonly keys: MemoryClusterKeys,
    private readonly id: string,
    log: Log,
    presence?: 'too' | 'alone',
  ) {
    this.runner = new SinkRunner({
      feed: log,
      cursors: new SinkCursors(keys, 'test', (shard) => ({ key: CLAIMS + shard, value: id })),
      sink: {
        deliver: ({ position }, reading) => {
          this.given.push(position.revision);
          this.readings.set(position.revision, reading);
          return this.isStuck ? new Promise((resolve) => this.#stuck.push(resolve)) : Promise.resolve();
        },
        converge: ({ position }, reading) => {
          this.converged.push(position.revision);
          this.readings.set(position.revision, reading);
          return this.isStuck ? new Promise((resolve) => this.#stuck.push(resolve)) : Promise.resolve();
        },
      },
      shardOf: ({ position }) => SHARDS[position.revision % 2] as string,
      tenants: ['t'],
      filter: { key: null, content: null, presence },
      maxInFlight: 5,
      logger: SILENT_LOGGER,
    });
  }

  async take(...shards: string[]): Promise<void> {
    await claim(this.keys, this.id, shards);
    await this.runner.take(shards);
  }

  unstick(): void {
    this.isStuck = false;
    for (const resolve of this.#stuck.splice(0)) resolve();
  }
}

describe('SinkRunner', () => {
  let keys: MemoryClusterKeys;
  let log: Log;
  const nodes: Node[] = [];
  const start = (id: string, presence?: 'too' | 'alone'): Node => {
    const node = new Node(keys, id, log, presence);
    nodes.push(node);
    return node;
  };
  const cursor = (shard: string): number => JSON.parse(keys.keys.get(`cursors/test/${shard}`)?.value ?? '').revision;

  beforeEach(async () => {
    keys = new MemoryClusterKeys();
    log = new Log();
    await new SinkCursors(keys, 'test', () => null).begin(SHARDS, at(100));
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) {
      node.unstick();
      await node.runner.release(SHARDS);
    }
  });

  it('sends what came after the cursor, and moves the cursor behind what is safe', async () => {
    const a = start('a');
    log.revision = 110;
    await a.take(...SHARDS);
    await until('all given', () => a.given.length === 10);
    await until('saved', () => cursor('p/0') === 110 && cursor('p/1') === 110);
    expect(a.given).toEqual([101, 102, 103, 104, 105, 106, 107, 108, 109, 110]);
  });

  it.each([
    [undefined, [101, 103]],
    ['too', [101, 102, 103, 104]],
    ['alone', [102, 104]],
  ] as const)('sends presence to a sink that asks for it (%s), and passes it for any', async (presence, expected) => {
    const a = start('a', presence);
    log.clients.add(102).add(104);
    log.revision = 104;
    await a.take(...SHARDS);
    await until('saved', () => cursor('p/0') === 104 && cursor('p/1') === 104);
    expect(a.given).toEqual(expected);
  });

  it('a new owner goes on from where the dead one was: everything at least once', async () => {
    const a = start('a');
    a.isStuck = true;
    await a.take(...SHARDS);
    log.revision = 120;
    await until('the window is full', () => a.given.length === 5);
    a.runner.lose(SHARDS);
    const b = start('b');
    await b.take(...SHARDS);
    await until('b has all', () => b.given.length === 20);
    expect(b.given[0]).toBe(101);
  });

  it('given up in good order: the next owner repeats nothing, and each sends its own shards', async () => {
    const [a, b] = [start('a'), start('b')];
    await a.take(...SHARDS);
    log.revision = 110;
    await until('all given', () => a.given.length === 10);
    await a.runner.release(['p/1']);
    await b.take('p/1');
    log.revision = 120;
    await until('the rest is given', () => a.given.length + b.given.length >= 20);
    expect(b.given).toEqual([111, 113, 115, 117, 119]);
    expect(a.given.slice(10)).toEqual([112, 114, 116, 118, 120]);
  });

  it('makes no new attempt for a shard that it has lost, and goes on with the others', async () => {
    const a = start('a');
    a.isStuck = true;
    await a.take(...SHARDS);
    log.revision = 104;
    await until('all given', () => a.given.length === 4);
    const first = [...a.readings.values()];
    a.runner.lose(['p/1']);
    expect(first.map(({ aborted }) => aborted)).toEqual([true, true, true, true]);
    await until('its own are given again', () => a.given.length === 6);
    expect(a.given.slice(4)).toEqual([102, 104]);
    expect(a.readings.get(102)?.aborted).toBe(false);
    a.unstick();
    await until('saved', () => cursor('p/0') === 104);
    expect(cursor('p/1')).toBe(100);
  });

  /** Its sink sends the present state of both shards, and none of it is safe yet. */
  async function startBehindHole(): Promise<Node> {
    const a = start('a');
    a.isStuck = true;
    log.revision = 200;
    log.compacted = 150;
    await a.take(...SHARDS);
    await until('converging', () => a.converged.length === 2);
    return a;
  }

  it('ends the present state of a shard that it has lost, and waits for that of the others alone', async () => {
    const a = await startBehindHole();
    a.runner.lose(['p/1']);
    // Even revisions are of the other one.
    expect([199, 200].map((revision) => a.readings.get(revision)?.aborted)).toEqual([true, false]);
    a.unstick();
    await until('safe', () => cursor('p/0') === 200);
    expect([cursor('p/1'), a.converged.length]).toEqual([100, 2]);
  });

  it('who has lost the claim moves no cursor', async () => {
    const a = start('a');
    await a.take(...SHARDS);
    await claim(keys, 'b', SHARDS);
    log.revision = 110;
    await until('all given', () => a.given.length === 10);
    await a.runner.release(SHARDS);
    expect(cursor('p/0')).toBe(100);
  });

  it('saves its cursors soon again when etcd did not take them', async () => {
    const a = start('a');
    await a.take(...SHARDS);
    log.revision = 102;
    // From here on a sink that has sent nothing saves once a minute.
    await until('saved', () => cursor('p/0') === 102);
    const commit = jest.spyOn(keys, 'commit').mockRejectedValueOnce(new Error('etcd is away'));
    log.revision = 104;
    await until('saved again', () => cursor('p/0') === 104);
    expect(commit).toHaveBeenCalledTimes(2);
    commit.mockRestore();
  });

  it('after a hole it sends the present state and then what follows', async () => {
    const a = start('a');
    log.revision = 200;
    log.compacted = 150;
    await a.take(...SHARDS);
    await until('converged', () => a.converged.length === 2);
    log.revision = 202;
    await until('goes on', () => a.given.length === 2);
    expect(a.given).toEqual([201, 202]);
  });

  it('goes on with what it has when the cursors of more cannot be read', async () => {
    const a = start('a');
    await a.take('p/0');
    log.revision = 104;
    await until('its own are given', () => a.given.length === 2);
    const list = jest.spyOn(keys, 'list').mockRejectedValueOnce(new Error('etcd is away'));
    await expect(a.take('p/1')).rejects.toThrow('etcd is away');
    list.mockRestore();
    log.revision = 106;
    await until('it goes on', () => a.given.length === 3);
    await a.take('p/1');
    await until('the rest too', () => a.given.length === 6);
    expect(a.given).toEqual([102, 104, 106, 101, 103, 105]);
  });

  it('moves no cursor over a hole before the present state is safe', async () => {
    const a = await startBehindHole();
    await a.runner.release(SHARDS);
    expect(cursor('p/0')).toBe(100);
  });

  it('sends nothing of other tenants: the topics of a broker have no place for one', async () => {
    const a = start('a');
    const record = log.record.bind(log);
    log.record = (revision) => {
      const mine = record(revision);
      return revision === 102 ? { ...mine, key: { ...mine.key, tenant: 'other' } } : mine;
    };
    log.revision = 104;
    await a.take(...SHARDS);
    await until('all given', () => cursor('p/0') === 104);
    expect(a.given).toEqual([101, 103, 104]);
  });
});
