import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOGGER } from '../../telemetry/logger.js';
import { LocalEtcd } from './local-etcd.js';
import { processTable } from './process-table.js';

/** These start no etcd: a shell script stands in for it. The real one is in test/integration/local-etcd.spec.ts. */
describe('a local etcd that cannot start', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'umbra-local-etcd-'));
    mkdirSync(join(folder, 'bin'));
    for (const tool of ['env', 'sed', 'sleep']) {
      const path = ['/usr/bin', '/bin'].map((bin) => join(bin, tool)).find((candidate) => existsSync(candidate));
      symlinkSync(path ?? tool, join(folder, 'bin', tool));
    }
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function standIn(script: string): void {
    writeFileSync(join(folder, 'bin', 'etcd'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'bin', 'etcd'), 0o755);
  }

  async function failure(env: NodeJS.ProcessEnv = {}): Promise<string> {
    const dataDir = join(folder, 'data');
    const options = { dataDir, logger: SILENT_LOGGER, startTimeoutMs: 2_000 };
    const etcd = new LocalEtcd({ ...options, env: { PATH: join(folder, 'bin'), ...env } });
    const error = await etcd.start().then(
      () => new Error('it started'),
      (reason: unknown) => reason as Error,
    );
    expect(existsSync(join(dataDir, 'etcd.owner'))).toBe(false);
    expect(processTable().filter(({ command }) => command.includes(folder))).toEqual([]);
    return `${error.name}: ${error.message}`;
  }

  it('says what to install when there is none', async () => {
    const message = await failure();
    expect(message).toMatch(/LocalEtcdError: There is no program `etcd`/);
    for (const advice of [
      'apt-get install etcd-server',
      'dnf install etcd',
      'brew install etcd',
      'UMBRA_ETCD_ENDPOINTS=',
    ])
      expect(message).toContain(advice);
  });

  it('repeats its last words when it ends, and only the last of many', async () => {
    standIn(`i=0; while [ $i -lt 100 ]; do echo "line $i"; i=$((i+1)); done >&2
      echo '{"level":"fatal","msg":"discovery failed","error":"member is unknown"}' >&2; exit 3`);
    const message = await failure();
    expect(message).toContain('exit code 3');
    expect(message).toContain('fatal discovery failed: member is unknown');
    expect(message).toContain('line 99');
    expect(message).not.toContain('line 50');
    expect(message).toContain(join(folder, 'data', 'etcd'));
  });

  it('gives up on one that does not answer, and ends it', async () => {
    standIn('exec sleep 1000');
    expect(await failure()).toContain('etcd did not answer within 2 s');
  });

  it('tries other ports when somebody took them meanwhile, a bounded number of times', async () => {
    const tries = join(folder, 'tries');
    standIn(`echo "$@" >> ${tries}; echo 'listen tcp 127.0.0.1:1: bind: address already in use' >&2; exit 1`);
    expect(await failure()).toContain('address already in use');
    const ports = (await import('node:fs')).readFileSync(tries, 'utf8').match(/--listen-client-urls \S+/g);
    expect(new Set(ports).size).toBe(3);
  });

  it('keeps ETCD_ variables of the environment away from etcd', async () => {
    standIn('env >&2; exit 1');
    const message = await failure({ ETCD_DATA_DIR: '/elsewhere', ETCD_UNSUPPORTED_ARCH: 'arm64', OTHER: 'stays' });
    expect(message).not.toContain('ETCD_DATA_DIR');
    expect(message).toContain('ETCD_UNSUPPORTED_ARCH=arm64');
    expect(message).toContain('OTHER=stays');
  });

  it('says which folder cannot be used', async () => {
    writeFileSync(join(folder, 'data'), 'a file');
    const etcd = new LocalEtcd({ dataDir: join(folder, 'data'), logger: SILENT_LOGGER });
    await expect(etcd.start()).rejects.toThrow(/data folder .*\/data cannot be written \(EEXIST\)[^]*UMBRA_DATA_DIR/);
  });
});
