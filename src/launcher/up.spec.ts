import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { hasPromtool } from '../../test/harness/metrics-page.js';
import { freePort } from '../../test/harness/ports.js';
import { until } from '../../test/harness/until.js';

const OBSERVE = './observe.mjs';
const LAUNCHER = dirname(fileURLToPath(import.meta.url));

/** The node of these tests. */
const MAIN = `
console.log('main runs');
if (!process.env.STAY) process.exit(7);
const signals = [];
const note = (signal) => { if (signals.push(signal) === 2) { console.log(signals.sort().join()); process.exit(9); } };
process.on('SIGTERM', note);
process.on('SIGINT', note);
process.once('disconnect', () => { process.stdout.write('nobody is left\\n'); process.exit(0); });
setInterval(() => undefined, 1000);
console.log(process.pid);
`;
/** Stands in for npm: installs a compiler that copies. */
const NPM = `#!/bin/sh
echo "npm $*" >> "$LOG"
mkdir -p node_modules/@nestjs/cli/bin
cat > node_modules/@nestjs/cli/bin/nest.js <<'NEST'
const fs = require('fs');
fs.appendFileSync(process.env.LOG, 'build\\n');
fs.mkdirSync('dist', { recursive: true });
fs.copyFileSync('src/main.ts', 'dist/main.js');
if (fs.existsSync('broken')) { console.log('src/main.ts: it is broken'); process.exit(1); }
NEST
`;

let root: string;
let bin: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'umbra-up-'));
  bin = join(root, 'bin');
  cpSync(LAUNCHER, join(root, 'src', 'launcher'), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  for (const [name, text] of Object.entries({
    'package.json': '{"type":"module"}',
    'package-lock.json': '{}',
    'src/main.ts': MAIN,
  }))
    writeFileSync(join(root, name), text);
  mkdirSync(join(root, 'node_modules', '@nestjs'), { recursive: true });
  rmSync(join(root, 'node_modules'), { recursive: true });
  mkdirSync(bin);
  program('npm', NPM);
  program('etcd', '#!/bin/sh\n');
  for (const tool of ['sh', 'mkdir', 'cat']) {
    symlinkSync(
      ['/bin', '/usr/bin'].map((folder) => join(folder, tool)).find((path) => existsSync(path)) ?? tool,
      join(bin, tool),
    );
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), text);
  chmodSync(join(bin, name), 0o755);
}
const environment = (more: NodeJS.ProcessEnv = {}) => ({ PATH: bin, LOG: join(root, 'log'), ...more });
const log = () => (existsSync(join(root, 'log')) ? readFileSync(join(root, 'log'), 'utf8').trim().split('\n') : []);
const forget = () => rmSync(join(root, 'log'), { force: true });

function up(env: NodeJS.ProcessEnv = {}) {
  const args = [join(root, 'src', 'launcher', 'up.mjs')];
  return spawnSync(process.execPath, args, { env: environment(env), encoding: 'utf8', cwd: tmpdir() });
}

const INSTALLED = 'npm ci --include=dev --no-audit --no-fund --loglevel=error';

describe('npm run up', () => {
  it('installs, builds and runs the first time, and only runs the second time', () => {
    const first = up();
    expect(first).toMatchObject({ status: 7, stdout: 'main runs\n' });
    expect(first.stderr).toMatch(
      /^umbra: installing dependencies \(npm ci\) … \d+\.\d s\numbra: building … \d+\.\d s\n$/,
    );
    expect(log()).toEqual([INSTALLED, 'build']);
    forget();
    expect(up()).toMatchObject({ status: 7, stdout: 'main runs\n', stderr: '' });
    expect(log()).toEqual([]);
  });

  it.each([
    [
      'the lock file has changed',
      () => writeFileSync(join(root, 'package-lock.json'), '{"x":1}'),
      [INSTALLED, 'build'],
    ],
    ['a source is newer', () => utimesSync(join(root, 'src', 'main.ts'), new Date(), new Date()), ['build']],
    ['a source was removed', () => rmSync(join(root, 'src', 'old.ts')), ['build']],
    ['only a test is newer', () => writeFileSync(join(root, 'src', 'old.spec.ts'), ''), []],
    ['dist is gone', () => rmSync(join(root, 'dist'), { recursive: true }), ['build']],
    ['node_modules is gone', () => rmSync(join(root, 'node_modules'), { recursive: true }), [INSTALLED]],
  ])('does what is needed when %s', (_title, change, expected) => {
    writeFileSync(join(root, 'src', 'old.ts'), '');
    writeFileSync(join(root, 'src', 'old.spec.ts'), '');
    up();
    forget();
    change();
    expect(up().status).toBe(7);
    expect(log()).toEqual(expected);
  });

  it('takes node_modules that somebody installed by hand', () => {
    spawnSync(join(bin, 'npm'), { cwd: root, env: environment() });
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), '{}');
    forget();
    expect(up().status).toBe(7);
    expect(log()).toEqual(['build']);
  });

  it('shows why a build failed, and does not run its result the next time either', () => {
    writeFileSync(join(root, 'broken'), '');
    for (const time of ['first', 'second']) {
      const { status, stdout, stderr } = up();
      expect({ time, status, stdout }).toEqual({ time, status: 1, stdout: '' });
      expect(stderr).toContain('src/main.ts: it is broken');
    }
  });

  it('says what to install when there is no etcd, unless one is configured', () => {
    rmSync(join(bin, 'etcd'));
    const { status, stderr } = up();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /Missing: etcd\.[^]*apt-get install etcd-server[^]*dnf install etcd[^]*brew install etcd[^]*UMBRA_ETCD_ENDPOINTS=/,
    );
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(up({ UMBRA_ETCD_ENDPOINTS: 'http://e:2379' }).status).toBe(7);
    writeFileSync(join(root, '.env'), 'UMBRA_ETCD_ENDPOINTS=http://e:2379\n');
    expect(up().status).toBe(7);
    expect(up({ UMBRA_ETCD_ENDPOINTS: '' }).status).toBe(1);
  });

  it('hands each signal on once, though npm sends Ctrl-C a second time, and ends with the code of the node', async () => {
    const args = [join(root, 'src', 'launcher', 'up.mjs')];
    const launcher = spawn(process.execPath, args, {
      env: environment({ STAY: '1' }),
    }) as ChildProcessWithoutNullStreams;
    const lines = createInterface({ input: launcher.stdout })[Symbol.asyncIterator]();
    const next = async () => String((await lines.next()).value);
    const ended = once(launcher, 'exit');
    expect(await next()).toBe('main runs');
    const node = Number(await next());
    try {
      // The node ends at the second signal that it sees, whichever that is.
      for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGINT'] as const) launcher.kill(signal);
      expect(await next()).toBe('SIGINT,SIGTERM');
      expect(await ended).toEqual([9, null]);
    } finally {
      // Only when the test fails there is somebody left.
      if (launcher.exitCode === null) {
        launcher.kill('SIGKILL');
        process.kill(node, 'SIGKILL');
      }
    }
  });

  it('lets the node know when it is killed itself', async () => {
    const launcher = spawn(process.execPath, [join(root, 'src', 'launcher', 'up.mjs')], {
      env: environment({ STAY: '1' }),
    });
    const lines = createInterface({ input: launcher.stdout })[Symbol.asyncIterator]();
    const heard: unknown[] = [];
    while (heard.length < 2) heard.push((await lines.next()).value);
    launcher.kill('SIGKILL');
    // The node has inherited the output, so the lines end when it does.
    expect(await lines.next()).toEqual({ done: false, value: 'nobody is left' });
    expect((await lines.next()).done).toBe(true);
  });

  it('ends as a shell would when a signal ended the node', () => {
    writeFileSync(join(root, 'src', 'main.ts'), "process.kill(process.pid, 'SIGKILL');");
    expect(up().status).toBe(128 + 9);
  });
});

describe('npm run up -- --observe', () => {
  /** Stands in for Prometheus: answers on its port, and says when it is ended. */
  const PROMETHEUS = `#!${process.execPath}
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
const port = process.argv.find((each) => each.startsWith('--web.listen-address=')).split(':').at(-1);
const server = createServer((_, response) => response.end()).listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => { appendFileSync(process.env.LOG, 'ended\\n'); server.closeAllConnections(); process.exit(0); });
`;
  beforeEach(() => {
    program('prometheus', PROMETHEUS);
    up();
    forget();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'starts a Prometheus that ends with the node, also by %s',
    async (signal) => {
      // The node says its port of metrics, and stays until it is told to go.
      writeFileSync(
        join(root, 'dist', 'main.js'),
        `console.log(process.env.UMBRA_METRICS_PORT); setInterval(() => undefined, 1000); process.on('disconnect', () => process.exit(0));
      process.on('SIGTERM', () => process.exit(0));`,
      );
      const port = await freePort();
      const launcher = spawn(process.execPath, [join(root, 'src', 'launcher', 'up.mjs'), `--observe=${port}`], {
        env: environment({ UMBRA_DATA_DIR: join(root, 'data') }),
      });
      const said = createInterface({ input: launcher.stderr })[Symbol.asyncIterator]();
      expect((await said.next()).value).toBe(
        `umbra: Prometheus http://127.0.0.1:${port}/alerts, and what the node does http://127.0.0.1:9464/status`,
      );
      const [metrics] = (await once(launcher.stdout, 'data')) as [Buffer];
      expect(String(metrics)).toBe('9464\n');
      launcher.kill(signal);
      await once(launcher, 'exit');
      await until('Prometheus has ended', () => log().includes('ended'));
    },
  );

  it.each([
    [['--observ'], {}, /^--observ is unknown; there is --observe, or --observe=PORT\n$/],
    [['--observe=0'], {}, /^--observe=0: a port is a number from 1 to 65535\n$/],
    [['--observe'], { UMBRA_METRICS_PORT: '0' }, /^UMBRA_METRICS_PORT=0 is any port/],
  ])('does not take %j with %j', (args, env, text) => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'src', 'launcher', 'up.mjs'), ...args], {
      env: environment(env),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([1, expect.stringMatching(text)]);
  });

  it('takes no other program on its port for Prometheus', async () => {
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const launcher = spawn(process.execPath, [join(root, 'src', 'launcher', 'up.mjs'), `--observe=${port}`], {
      env: environment({ UMBRA_DATA_DIR: join(root, 'data') }),
    });
    const said = createInterface({ input: launcher.stderr })[Symbol.asyncIterator]();
    expect((await said.next()).value).toBe(`Port ${port} is in use; --observe=PORT takes another one for Prometheus`);
    expect(await once(launcher, 'exit')).toEqual([1, null]);
    server.close();
  });

  (hasPromtool ? it : it.skip)(
    'gives it a configuration that it takes, by promtool (apt-get install prometheus)',
    async () => {
      const { configurationOf } = (await import(OBSERVE)) as {
        configurationOf: (settings: object, root: string) => { scrape_configs: object[] };
      };
      const token = join(root, 'token');
      writeFileSync(token, 'x');
      const settings = {
        ...{ UMBRA_METRICS_HOST: '::', UMBRA_METRICS_PORT: '9000', UMBRA_METRICS_TOKEN: token },
        UMBRA_ETCD_ENDPOINTS: 'http://e0:2379, http://e1:2379,https://e2:2379',
      };
      const configuration = configurationOf(settings, process.cwd());
      expect(configuration.scrape_configs).toEqual([
        {
          job_name: 'umbra',
          static_configs: [{ targets: ['127.0.0.1:9000'] }],
          authorization: { credentials_file: token },
        },
        { job_name: 'etcd', static_configs: [{ targets: ['e0:2379', 'e1:2379'] }] },
      ]);
      writeFileSync(join(root, 'prometheus.yml'), JSON.stringify(configuration));
      const { stdout, status } = spawnSync('promtool', ['check', 'config', join(root, 'prometheus.yml')], {
        encoding: 'utf8',
      });
      expect([status, stdout]).toEqual([0, expect.stringContaining('3 rule files')]);
    },
  );
});

describe('prerequisites', () => {
  const NEED = { program: 'etcd', debian: 'etcd-server', fedora: 'etcd', macos: 'etcd' };
  const APT = `#!/bin/sh
echo "apt-get $DEBIAN_FRONTEND $*; policy: $(cat "${'$'}POLICY_FILE")" | tr '\\n' ' ' >> "$LOG"; echo >> "$LOG"
case "$*" in *install*) [ -e "$LOG.fail" ] && echo 'E: no such package' && exit 100; printf '#!/bin/sh\\n' > ${'$'}(dirname "$0")/etcd; chmod +x ${'$'}(dirname "$0")/etcd;; esac
`;

  function ensure(uid: number) {
    const code = `import { ensurePrograms } from '${join(root, 'src/launcher/prerequisites.mjs')}';
      try { ensurePrograms([${JSON.stringify(NEED)}], { uid: ${uid}, policy: process.env.POLICY_FILE }); }
      catch (error) { console.log(error.constructor.name, error.message); }`;
    const env = { ...environment(), PATH: `${bin}:${join(root, 'tools')}`, POLICY_FILE: join(root, 'policy-rc.d') };
    return spawnSync(process.execPath, ['--input-type=module', '-e', code], { env, encoding: 'utf8' });
  }
  beforeEach(() => {
    rmSync(join(bin, 'etcd'));
    program('apt-get', APT);
    for (const tool of ['tr', 'chmod', 'dirname']) {
      symlinkSync(
        ['/bin', '/usr/bin'].map((folder) => join(folder, tool)).find((path) => existsSync(path)) ?? tool,
        join(bin, tool),
      );
    }
  });

  it('installs on Debian as root, without questions and without starting services', () => {
    expect(ensure(0)).toMatchObject({ status: 0, stdout: '' });
    const [update, install] = log();
    expect(update).toMatch(/^apt-get noninteractive .* update; policy: #!\/bin\/sh exit 101/);
    expect(install).toMatch(
      /^apt-get noninteractive .*install -y --no-install-recommends etcd-server; policy: #!\/bin\/sh exit 101/,
    );
    expect(existsSync(join(root, 'policy-rc.d'))).toBe(false);
    forget();
    expect(ensure(0)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(log()).toEqual([]);
  });

  it('leaves a policy that was there before', () => {
    writeFileSync(join(root, 'policy-rc.d'), 'mine');
    ensure(0);
    expect(log()[1]).toContain('policy: mine');
    expect(readFileSync(join(root, 'policy-rc.d'), 'utf8')).toBe('mine');
  });

  it('shows why an installation failed, and removes its policy', () => {
    writeFileSync(join(root, 'log.fail'), '');
    expect(ensure(0).stdout).toMatch(/^Stop `apt-get .*` failed \(exit code 100\):\nE: no such package/);
    expect(existsSync(join(root, 'policy-rc.d'))).toBe(false);
  });

  it('installs nothing for somebody who is not root', () => {
    expect(ensure(1000).stdout).toMatch(/^Stop Missing: etcd\. Install:\n {2}Debian/);
    expect(log()).toEqual([]);
  });
});

describe('the version of Node', () => {
  it.each([
    ['18.20.0', false],
    ['20.18.9', false],
    ['20.19.0', true],
    ['21.0.0', true],
    ['24.1.0', true],
  ])('%s: %s', (version, enough) => {
    const code = `import { checkNode } from '${join(LAUNCHER, 'dependencies.mjs')}';
      try { checkNode('${version}'); console.log('enough'); } catch (error) { console.log(error.message); }`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    expect(stdout.trim() === 'enough').toBe(enough);
    if (!enough) expect(stdout).toMatch(/too old.*20\.19/);
  });
});
