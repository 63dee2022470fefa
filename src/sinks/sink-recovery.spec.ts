import { setTimeout as pause } from 'node:timers/promises';
import type { Position } from '../store/position.js';
import type { ShadowFeed } from '../store/shadow-feed.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { SinkRecovery } from './sink-recovery.js';

const at = (revision: number): Position => ({ cluster: 'c', epoch: 0, revision });

describe('SinkRecovery', () => {
  it('reads nothing when no shard has missed a change', async () => {
    let reads = 0;
    const feed = {
      head: async () => at(200),
      base: async () => {
        reads++;
        const records = async function* () {
          await pause(1);
          yield { key: { tenant: 't', thing: 'lamp', name: null }, position: at(150) };
        };
        return { position: at(200), records: records() };
      },
    } as unknown as ShadowFeed;
    const recovery = new SinkRecovery({
      feed,
      sink: { deliver: () => Promise.resolve(), converge: () => Promise.resolve() },
      shardOf: () => 'p/0',
      tenants: ['t'],
      maxInFlight: 5,
      logger: SILENT_LOGGER,
      onRecovered: () => undefined,
    });
    const abort = new AbortController();
    recovery.begin([], at(200));
    const ended = recovery.run(abort.signal);
    await pause(50);
    abort.abort();
    await ended;
    expect(reads).toBe(0);
  });
});
