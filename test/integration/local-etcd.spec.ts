import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { transformFileSync } from '@swc/core';
import { DataFolder } from '../../src/store/local-etcd/data-folder.js';
import { LocalEtcd } from '../../src/store/local-etcd/local-etcd.js';
import { processTable } from '../../src/store/local-etcd/process-table.js';
import { SILENT_LOGGER, type Logger } from '../../src/telemetry/logger.js';
import { freePort } from '../harness/ports.js';

/** Stands in for the node: it starts etcd, tells where, and on SIGINT uses etcd once more before it lets go of it. */
const PARENT = `
import { LocalEtcd } from './local-etcd.js';
const silent = () => undefined;
const etcd = new LocalEtcd({ dataDir: process.argv[2], logger: { debug: silent, info: silent, warn: silent, error: silent } });
process.on('SIGINT', async () => {
  const answer = await fetch(endpoint + '/v3/kv/range', { method: 'POST', body: '{"key":"AA=="}' });
  console.log('drained ' + answer.status);
  await etcd.stop();
  process.exit(0);
});
const endpoint = await etcd.start();
console.log(endpoint);
`;

const SOURCES = new URL('../../src/', import.meta.url).pathname;
/** What the program of a parent imports; the folders keep their places to each other. */
const FOLDERS = ['store/local-etcd', 'resilience'];

/** The program of a parent, below the folder of its sources. */
const PARENT_FILE = 'store/local-etcd/parent.js';

let program: string;
let folder: string;
const parents: Parent[] = [];

interface Parent {
  readonly process: ChildProcessWithoutNullStreams;
  readonly lines: Interface;
  readonly endpoint: string;
}

beforeAll(() => {
  program = mkdtempSync(join(tmpdir(), 'umbra-local-etcd-program-'));
  writeFileSync(join(program, 'package.json'), '{"type":"module"}');
  for (const folder of FOLDERS) {
    mkdirSync(join(program, folder), { recursive: true });
    for (const name of readdirSync(join(SOURCES, folder))) {
      if (name.endsWith('.spec.ts')) continue;
      const { code } = transformFileSync(join(SOURCES, folder, name));
      writeFileSync(join(program, folder, name.replace(/\.ts$/, '.js')), code);
    }
  }
  writeFileSync(join(program, PARENT_FILE), PARENT);
});
afterAll(() => rmSync(program, { recursive: true, force: true }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'umbra-local-etcd-'));
});
afterEach(async () => {
  for (const parent of parents.splice(0)) parent.process.kill('SIGKILL');
  await untilGone();
  rmSync(folder, { recursive: true, force: true });
});

async function startParent(): Promise<Parent> {
  // In a group of its own, as a terminal starts it, so that a signal to the group is a Ctrl-C.
  const child = spawn(process.execPath, [join(program, PARENT_FILE), folder], { detached: true });
  child.stderr.pipe(process.stderr);
  const lines = createInterface({ input: child.stdout });
  const [endpoint] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as [string];
  const parent = { process: child, lines, endpoint };
  parents.push(parent);
  return parent;
}

/** Guards and etcds of the folder of this test; the guard leads their process group. */
const family = () => processTable().filter(({ command }) => command.includes(`--data-dir ${folder}/etcd`));
const etcdPid = () => family().find(({ command }) => command.startsWith('etcd'))?.pid as number;
const guardPid = () => family().find(({ pid, group }) => pid === group)?.pid as number;

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within 15 s: ${what}`);
    await pause(20);
  }
}
const untilGone = () => until(() => family().length === 0, 'guard and etcd are gone');

const base64 = (text: string) => Buffer.from(text).toString('base64');
async function put(endpoint: string, value: string): Promise<void> {
  const body = JSON.stringify({ key: base64('kept'), value: base64(value) });
  expect((await fetch(`${endpoint}/v3/kv/put`, { method: 'POST', body })).status).toBe(200);
}
async function get(endpoint: string): Promise<string | null> {
  try {
    const body = JSON.stringify({ key: base64('kept') });
    const response = await fetch(`${endpoint}/v3/kv/range`, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(2000),
    });
    const { kvs } = (await response.json()) as { kvs?: { value: string }[] };
    return kvs?.[0] ? Buffer.from(kvs[0].value, 'base64').toString() : null;
  } catch {
    return null;
  }
}

/** What a node leaves that is killed while etcd makes its first log. */
function killedInFirstStart(): void {
  new DataFolder(join(folder, 'etcd'), SILENT_LOGGER).prepare();
  const wal = join(folder, 'etcd', 'member', 'wal');
  mkdirSync(wal, { recursive: true });
  writeFileSync(join(wal, '0000000000000000-0000000000000000.wal'), 'half of something');
}
const withoutEtcd = () => new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER, env: { PATH: program } });

describe('the local etcd', () => {
  it('answers on loopback, and stop() leaves nothing but the data', async () => {
    const first = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    const endpoint = await first.start();
    const port = Number(new URL(endpoint).port);
    expect(port >= 20_000 && port < 32_768).toBe(true);
    await put(endpoint, 'one');
    await first.stop();
    expect(family()).toEqual([]);
    expect(readdirSync(folder)).toEqual(['etcd']);

    const second = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    expect(await get(await second.start())).toBe('one');
    await second.stop();
  });

  it('starts anew when an etcd before it was killed before it had ever answered', async () => {
    killedInFirstStart();
    const said: unknown[] = [];
    const logger = { ...SILENT_LOGGER, info: () => undefined, warn: (line: unknown) => said.push(line) };
    const etcd = new LocalEtcd({ dataDir: folder, logger: logger as unknown as Logger });
    await put(await etcd.start(), 'one');
    await etcd.stop();
    expect(readdirSync(folder)).toEqual(['etcd', 'etcd.incomplete']);
    expect(readdirSync(join(folder, 'etcd', 'member'))).toEqual(['snap', 'wal']);
    expect(readdirSync(join(folder, 'etcd.incomplete', 'member'))).toContain('wal');
    expect(said).toContainEqual({ from: join(folder, 'etcd'), to: join(folder, 'etcd.incomplete') });
  });

  it('keeps every folder that it puts aside, and starts no more after five', async () => {
    for (const name of ['', '-2', '-3', '-4', '-5']) mkdirSync(join(folder, `etcd.incomplete${name}`));
    killedInFirstStart();
    const etcd = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    await expect(etcd.start()).rejects.toThrow(/failed 6 times before its first answer[^]*remove these folders/);
    expect(readdirSync(folder)).toHaveLength(7);
    expect(family()).toEqual([]);
  });

  it.each([
    [
      'whose etcd was not installed',
      async () => await expect(withoutEtcd().start()).rejects.toThrow(/no program `etcd`/),
    ],
    [
      'that was killed, and whose folder was emptied',
      () => {
        killedInFirstStart();
        rmSync(join(folder, 'etcd'), { recursive: true });
      },
    ],
  ])('serves a backup that was put into the folder after a first start %s', async (_how, firstStart) => {
    await firstStart();
    const backup = mkdtempSync(join(tmpdir(), 'umbra-local-etcd-backup-'));
    const before = new LocalEtcd({ dataDir: backup, logger: SILENT_LOGGER });
    await put(await before.start(), 'from the backup');
    await before.stop();
    renameSync(join(backup, 'etcd'), join(folder, 'etcd'));
    rmSync(backup, { recursive: true });

    const etcd = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    expect(await get(await etcd.start())).toBe('from the backup');
    await etcd.stop();
    expect(readdirSync(folder)).toEqual(['etcd']);
  });

  it('never puts away a folder that it did not make', async () => {
    mkdirSync(join(folder, 'etcd', 'member', 'wal'), { recursive: true });
    writeFileSync(join(folder, 'etcd', 'member', 'wal', '0000000000000000-0000000000000000.wal'), 'half of something');
    const etcd = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    await expect(etcd.start()).rejects.toThrow(/etcd ended while it started[^]*move the folder away/);
    expect(readdirSync(folder)).toEqual(['etcd']);
  });

  it('can be stopped while it starts', async () => {
    const etcd = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    const started = etcd.start().catch((error: unknown) => String(error));
    await until(() => family().length > 0, 'etcd was started');
    await etcd.stop();
    expect(await started).toMatch(/stopped while it started/);
    expect(family()).toEqual([]);
    const again = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    await again.start();
    await again.stop();
  });

  it('ends with a node that is killed, guard and all, and starts again on the same folder', async () => {
    const parent = await startParent();
    await put(parent.endpoint, 'before the kill');
    expect(family().length).toBeGreaterThanOrEqual(2);
    parent.process.kill('SIGKILL');
    await untilGone();
    expect(await get((await startParent()).endpoint)).toBe('before the kill');
  });

  it('starts at once after a kill, without waiting for anybody to clean up', async () => {
    const parent = await startParent();
    await put(parent.endpoint, 'before the kill');
    parent.process.kill('SIGKILL');
    await once(parent.process, 'exit');
    expect(await get((await startParent()).endpoint)).toBe('before the kill');
  });

  it('is taken over when node and guard were both killed and etcd stayed behind', async () => {
    const parent = await startParent();
    await put(parent.endpoint, 'before the kill');
    const left = etcdPid();
    for (const { pid } of family().filter((entry) => entry.pid !== left)) process.kill(pid, 'SIGKILL');
    parent.process.kill('SIGKILL');
    await once(parent.process, 'exit');
    expect(await get((await startParent()).endpoint)).toBe('before the kill');
    expect(etcdPid()).not.toBe(left);
  });

  it('outlives a Ctrl-C until the node has drained', async () => {
    const parent = await startParent();
    const drained = once(parent.lines, 'line');
    const ended = once(parent.process, 'exit');
    process.kill(-(parent.process.pid as number), 'SIGINT');
    expect(await drained).toEqual(['drained 200']);
    expect(await ended).toEqual([0, null]);
    expect(family()).toEqual([]);
  });

  it.each([
    ['etcd', etcdPid],
    ['its guard', guardPid],
  ])('comes back on the same port when %s is killed', async (_name, pid) => {
    const { endpoint } = await startParent();
    await put(endpoint, 'before the kill');
    const before = etcdPid();
    process.kill(pid(), 'SIGKILL');
    await until(() => etcdPid() !== before && etcdPid() !== undefined, 'another etcd is there');
    await until(async () => (await get(endpoint)) === 'before the kill', 'it answers on the same port');
  });

  it('refuses a folder that another node uses, and names that node', async () => {
    const parent = await startParent();
    const second = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    await expect(second.start()).rejects.toThrow(`in use by another node, process ${parent.process.pid}`);
    expect(await get(parent.endpoint)).toBeNull();
    await put(parent.endpoint, 'still there');
  });

  it('refuses a folder on which somebody else runs an etcd, and leaves that alone', async () => {
    const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const urls = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer];
    const stranger = spawn('etcd', ['--data-dir', join(folder, 'etcd'), ...urls], { stdio: 'ignore' });
    await until(async () => (await fetch(`${client}/health`).catch(() => null))?.ok === true, 'it answers');
    const node = new LocalEtcd({ dataDir: folder, logger: SILENT_LOGGER });
    await expect(node.start()).rejects.toThrow(`did not start, process ${stranger.pid}`);
    expect(stranger.exitCode).toBeNull();
    const ended = once(stranger, 'exit');
    stranger.kill('SIGTERM');
    await ended;
  });
});
