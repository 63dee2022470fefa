import { setTimeout as pause } from 'node:timers/promises';
import type { Position } from '../store/position.js';
import type { ShadowFeed } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { until } from '../../test/harness/until.js';
import { SinkRecovery } from './sink-recovery.js';
import type { Sink } from './sink.js';

const at = (revision: number): Position => ({ cluster: 'c', epoch: 0, revision });

describe('SinkRecovery', () => {
  let reads: number;
  let recovered: string[][];
  const abort = new AbortController();
  const ended: Promise<void>[] = [];
  beforeEach(() => ([reads, recovered] = [0, []]));
  afterAll(async () => {
    abort.abort();
    await Promise.all(ended);
  });

  /** Runs over shadows each of which is a shard. */
  function start(things: readonly string[], converge: Sink['converge']): SinkRecovery {
    const feed = {
      head: async () => at(200),
      base: async () => {
        reads++;
        const records = async function* () {
          await pause(1);
          for (const thing of things) yield { key: { tenant: 't', thing, name: null }, position: at(150) };
        };
        return { position: at(200), records: records() };
      },
    } as unknown as ShadowFeed;
    const recovery = new SinkRecovery({
      ...{ feed, sink: { deliver: () => Promise.resolve(), converge }, shardOf: ({ key }) => key.thing },
      ...{ tenants: ['t'], maxInFlight: things.length, logger: SILENT_LOGGER },
      onRecovered: (shards) => recovered.push([...shards]),
    });
    ended.push(recovery.run(abort.signal));
    return recovery;
  }

  it('reads nothing when no shard has missed a change', async () => {
    const recovery = start(['lamp'], () => Promise.resolve());
    recovery.begin([], at(200));
    await pause(50);
    expect(reads).toBe(0);
  });

  it('ends the attempts for a shard that it drops, and neither waits for them nor ends those for others', async () => {
    const sent: { record: ShadowRecord; reading: AbortSignal; confirm: () => void }[] = [];
    const told = (): string[] => sent.map(({ record, reading }) => `${record.key.thing} ${reading.aborted}`);
    const recovery = start(['lamp', 'door'], (record, reading) => {
      return new Promise((confirm) => sent.push({ record, reading, confirm }));
    });
    recovery.begin(['lamp', 'door'], at(200));
    await until('both are sent', () => sent.length === 2);
    recovery.drop(['lamp']);
    expect(told()).toEqual(['lamp true', 'door false']);
    sent[1]?.confirm();
    await until('the other is safe', () => recovered.length === 1);

    recovery.begin(['lamp', 'door'], at(300));
    await until('both are sent again, as many as may be', () => sent.length === 4);
    // It had left already, and counts no more.
    sent[0]?.confirm();
    await pause(10);
    expect(recovered).toEqual([['door']]);
    for (const { confirm } of sent.slice(2)) confirm();
    await until('they are safe', () => recovered.length === 2);
    expect(recovered[1]).toEqual(['lamp', 'door']);
  });
});
