import { until } from '../../test/harness/until.js';
import { MemoryClusterKeys } from '../store/memory/memory-cluster-keys.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { LeasedKey } from './leased-key.js';

/** Keys whose store is away for a while. */
class AwayKeys extends MemoryClusterKeys {
  isAway = false;
  grants = 0;

  override grant(seconds: number): Promise<string> {
    this.grants++;
    return this.isAway ? Promise.reject(new Error('away')) : super.grant(seconds);
  }

  override revoke(lease: string): Promise<void> {
    return this.isAway ? new Promise(() => undefined) : super.revoke(lease);
  }
}

let keys: AwayKeys;
let key: LeasedKey;
beforeEach(() => {
  keys = new AwayKeys();
  key = new LeasedKey(keys, 'n', SILENT_LOGGER);
});
afterEach(() => key.stop());
const said = (): string | undefined => keys.keys.get('n')?.value;
const lease = (): string => keys.keys.get('n')?.lease ?? '';

it('says the last value under one lease, and is gone with its node', async () => {
  key.say('one');
  await until('it says so', () => said() === 'one');
  const first = lease();
  key.say('two');
  key.say('three');
  await until('it says the last one', () => said() === 'three');
  expect(lease()).toBe(first);
  await key.stop();
  expect([said(), keys.hasLease(first)]).toEqual([undefined, false]);
});

it('comes back under a new lease when its lease has ended, or the store was away', async () => {
  keys.isAway = true;
  key.say('one');
  await until('it has tried', () => keys.grants > 0);
  expect(said()).toBeUndefined();
  keys.isAway = false;
  await until('it says so', () => said() === 'one');
  const first = lease();
  await keys.revoke(first);
  key.say('two');
  await until('it says so again', () => said() === 'two');
  expect(lease()).not.toBe(first);
});

it('ends within a second while the store is away', async () => {
  key.say('one');
  await until('it says so', () => said() === 'one');
  keys.isAway = true;
  const begun = performance.now();
  await key.stop();
  expect(performance.now() - begun).toBeLessThan(5_000);
});
