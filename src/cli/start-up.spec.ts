import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { freePort } from '../../test/harness/ports.js';
import { buildCommand } from './build.mjs';

/** Below a folder of packages, so that those of the command are found. */
const BUILT = 'src/cli/node_modules/.start-up';
const folder = mkdtempSync(join(tmpdir(), 'umbra-start-up-'));
const list = join(folder, 'loaded');
/** Source files by the file that they are built into. */
const inputs = new Map<string, readonly string[]>();

/** Writes the address of each module that is loaded into a file. */
const HOOK = `
  import { appendFileSync } from 'node:fs';
  export function load(url, context, next) {
    appendFileSync(${JSON.stringify(list)}, url + '\\n');
    return next(url, context);
  }`;

beforeAll(async () => {
  const { metafile } = await buildCommand(resolve(BUILT));
  for (const [file, output] of Object.entries(metafile.outputs)) inputs.set(basename(file), Object.keys(output.inputs));
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  writeFileSync(join(folder, 'hook.mjs'), `import { register } from 'node:module'; register(${JSON.stringify(hook)});`);
  mkdirSync(join(folder, 'umbra'), { mode: 0o700 });
  const contexts = JSON.stringify({ current: 'a', contexts: { a: { server: 'http://127.0.0.1:1' } } });
  writeFileSync(join(folder, 'umbra', 'config.json'), contexts, { mode: 0o600 });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(BUILT, { recursive: true, force: true });
});

/** Packages and folders of the sources that a command line loads. */
function loadedBy(line: string): { readonly packages: string[]; readonly folders: string[] } {
  rmSync(list, { force: true });
  const args = ['--import', join(folder, 'hook.mjs'), join(BUILT, 'main.js'), ...line.split(' ')];
  const env = { XDG_CONFIG_HOME: folder };
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 });
  expect([line, status, stderr]).toEqual([line, line.startsWith('get') ? 7 : 0, expect.any(String)]);
  const urls = [...new Set(readFileSync(list, 'utf8').split('\n'))];
  const packages = urls.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[\w-][^/]*)\//.exec(url)?.[1] ?? []);
  const sources = urls.filter((url) => url.includes('/.start-up/')).flatMap((url) => inputs.get(basename(url)) ?? []);
  const folders = sources.map(
    (file) => /^src\/(?:cli\/(?:commands|admin|policy|x509)|cli|[^/]+)/.exec(file)?.[0] ?? file,
  );
  return { packages: [...new Set(packages)].sort(), folders: [...new Set(folders)].sort() };
}

const DEFINITIONS = ['src/cli', 'src/cli/commands'];

// The start is to take 0.15 s of CPU time at most: what it loads is what it costs.
it.each([
  ['--help', ['commander'], DEFINITIONS],
  ['policy apply --help', ['commander'], DEFINITIONS],
  ['completion bash', ['commander'], DEFINITIONS],
  ['context list', ['commander', 'jsonc-parser'], DEFINITIONS],
  ['get lamp --timeout 0.2', ['commander', 'eventsource-parser', 'jsonc-parser'], [...DEFINITIONS, 'src/sdk']],
])('%s loads %j, and of the sources %j', (line, packages, folders) => {
  expect(loadedBy(line)).toEqual({ packages, folders });
});

it.each([
  ['get lamp --timeout 0.2', 'stderr', 7],
  ['get lamp --timeout 0.2', 'stdout', 7],
  ['--help', 'stdout', 0],
] as const)('umbra %s ends with its own code when nobody reads its %s', async (line, unread, code) => {
  const env = { XDG_CONFIG_HOME: folder };
  const child = spawn(process.execPath, [join(BUILT, 'main.js'), ...line.split(' ')], { env });
  child[unread].destroy();
  child[unread === 'stderr' ? 'stdout' : 'stderr'].resume();
  expect(await once(child, 'exit')).toEqual([code, null]);
});

it.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('%s leaves no file without its key', async (signal) => {
  const [path, port] = [join(folder, 'lamp.key'), await freePort()];
  // It never answers.
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    const line = `client key create lamp --out ${path} --server http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, [join(BUILT, 'main.js'), ...line.split(' ')]);
    await once(server, 'request');
    expect(existsSync(path)).toBe(true);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect(existsSync(path)).toBe(false);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
