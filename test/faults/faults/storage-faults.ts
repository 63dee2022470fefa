import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { FaultContext, Heal } from './faults.js';
import { PROMISES } from '../validate/promises.js';
import { readOverHttp } from '../actors/rest-caller.js';
import type { Topology } from '../topology.js';

const run = promisify(execFile);
const JUNK = '/junk/';
const JUNK_BYTES = 512 * 1024;
/** Milliseconds for a node to notice that its storage is full, and that it is not any more. */
const NOTICE_MS = 20_000;

/** Writes what is not ours until etcd raises its alarm; updates must then be refused by name, and reads go on. */
export async function fillQuota({ topology, history, prefix }: FaultContext): Promise<Heal> {
  const [member] = topology.members;
  if (!member) throw new Error('no member');
  const value = Buffer.alloc(JUNK_BYTES, 'x');
  for (let i = 0; ; i++) {
    const full = await member.client.kv.put({ key: Buffer.from(`${JUNK}${i}`), value }).then(
      () => false,
      (error: unknown) => String(error).includes('space exceeded'),
    );
    if (full) break;
    if (i > 2_000) throw new Error('the quota was not reached');
  }
  if (!(await noticed(topology, prefix, 'storage-full'))) {
    history.remarks.push({ promise: PROMISES.storage, text: 'updates are not refused as storage-full' });
  }
  await readOverHttp(topology.node(0).httpUrl, `${prefix}-0`).catch((error: unknown) => {
    history.remarks.push({
      promise: PROMISES.storage,
      text: `a read failed while the storage was full: ${String(error)}`,
    });
  });
  return async () => {
    const { client } = member;
    const { header } = await client.kv.deleteRange({ key: Buffer.from(JUNK), range_end: Buffer.from('/junk0') });
    await client.kv.compact({ revision: header.revision, physical: true });
    await client.maintenance.defragment();
    const { alarms } = await client.maintenance.alarm({ action: 'Get' });
    for (const { memberID } of alarms) {
      await client.maintenance.alarm({ action: 'Deactivate', memberID, alarm: 'Nospace' as never });
    }
    if (!(await noticed(topology, prefix, 'accepted'))) {
      history.remarks.push({
        promise: PROMISES.storage,
        text: 'updates are still refused although there is room again',
      });
    }
  };
}

async function noticed(topology: Topology, prefix: string, what: 'storage-full' | 'accepted'): Promise<boolean> {
  for (const deadline = Date.now() + NOTICE_MS; Date.now() < deadline; await pause(200)) {
    const answers = await Promise.all(
      topology.nodes.map(({ httpUrl }) => probe(`${httpUrl}/v1/things/${prefix}probe/shadow`)),
    );
    if (answers.every((answer) => answer === what)) return true;
  }
  return false;
}

async function probe(url: string): Promise<string> {
  try {
    const body = JSON.stringify({ state: { desired: { probe: Date.now() } } });
    const response = await fetch(url, { method: 'PATCH', body, signal: AbortSignal.timeout(8_000) });
    const { type = '' } = (await response.json()) as { type?: string };
    return response.status === 200 ? 'accepted' : (type.split(':').at(-1) ?? '');
  } catch (error) {
    return String(error);
  }
}

/** Fills the file system under etcd. etcd may end; what it has acknowledged must be there when it is back. */
export async function fillDisk({ topology, history }: FaultContext): Promise<Heal> {
  const [member] = topology.members;
  if (!member) throw new Error('no member');
  const ballast = join(member.dataDir, '..', 'ballast');
  await run('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k']).catch(() => undefined);
  // etcd has room left inside its files: junk makes it want more.
  const value = Buffer.alloc(JUNK_BYTES, 'x');
  for (let i = 0; i < 200; i++) {
    const failed = await member.client.kv.put({ key: Buffer.from(`${JUNK}${i}`), value }).then(
      () => false,
      () => true,
    );
    if (failed) break;
  }
  const from = history.now();
  history.faults.push({ fault: 'etcd ran into the full disk', from, to: from });
  return async () => {
    await rm(ballast, { force: true });
    await member.restart();
    await member.client.kv.deleteRange({ key: Buffer.from(JUNK), range_end: Buffer.from('/junk0') });
  };
}
