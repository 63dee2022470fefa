import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MemoryClusterKeys } from '../../test/harness/memory-cluster-keys.js';
import { beginningOf } from '../store/local-etcd/process-table.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import type { NodeNameTaken } from './node-name.js';
import { NodeName } from './node-name.js';

const elsewhere = { host: 'other-host', pid: 1, beginning: 'pid:[1] boot 7', started: '2026-01-01T00:00:00.000Z' };

describe('NodeName', () => {
  let keys: MemoryClusterKeys;
  const taken: NodeNameTaken[] = [];
  const name = (self = {}) => new NodeName('n-1', keys, SILENT_LOGGER, (error) => taken.push(error), self);
  const leaseOf = (key: string) => keys.keys.get(key)?.lease ?? '';
  beforeEach(() => {
    keys = new MemoryClusterKeys();
    taken.length = 0;
  });

  it('takes a free name under a lease, and gives it back', async () => {
    const first = name();
    await first.claim();
    expect(JSON.parse(keys.keys.get('n-1')?.value ?? '')).toMatchObject({ pid: process.pid });
    expect(leaseOf('n-1')).not.toBe('');
    await first.release();
    expect([...keys.keys]).toEqual([]);
  });

  it('takes the name of a dead process of this machine over at once', async () => {
    const dead = name();
    await dead.claim();
    const holder = JSON.parse(keys.keys.get('n-1')?.value ?? '') as { beginning: string };
    // The process id of this test, of an earlier life.
    const earlier = { ...holder, beginning: `${holder.beginning}0` };
    await keys.commit({ guards: [], puts: [{ key: 'n-1', value: JSON.stringify(earlier) }] });
    const second = name();
    await second.claim();
    expect(JSON.parse(keys.keys.get('n-1')?.value ?? '')).toMatchObject({ beginning: holder.beginning });
    await Promise.all([dead.release(), second.release()]);
  });

  it('refuses the name of another process of this machine that lives', async () => {
    const first = name();
    await first.claim();
    const own = JSON.parse(keys.keys.get('n-1')?.value ?? '') as { beginning: string };
    const alive = spawn('sleep', ['60']);
    await once(alive, 'spawn');
    const pid = alive.pid as number;
    const other = { ...own, pid, beginning: `${own.beginning.split(' ')[0]} ${beginningOf(pid)}` };
    await keys.commit({ guards: [], puts: [{ key: 'n-1', value: JSON.stringify(other) }] });
    const second = name();
    await expect(second.claim()).rejects.toThrow(`name n-1: process ${pid} on `);
    alive.kill('SIGKILL');
    await once(alive, 'exit');
    await second.claim();
    await Promise.all([first.release(), second.release()]);
  });

  it('waits for the lease of a node elsewhere, which may be dead', async () => {
    const lease = await keys.grant(10);
    await keys.commit({ guards: [], puts: [{ key: 'n-1', value: JSON.stringify(elsewhere), lease }] });
    const second = name();
    const claimed = second.claim();
    await keys.revoke(lease);
    await claimed;
    expect(JSON.parse(keys.keys.get('n-1')?.value ?? '')).toMatchObject({ pid: process.pid });
    await second.release();
  });

  it('starts without a name while etcd does not answer', async () => {
    const first = name();
    keys.list = () => Promise.reject(new Error('unavailable'));
    await first.claim();
    expect(taken).toEqual([]);
    await first.release();
  });
});
