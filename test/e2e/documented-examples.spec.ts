import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { runScript } from '../harness/sdk-client.js';
import { cleanupAfterAll } from './steps/cleanup.js';

const cleanup = cleanupAfterAll();
/** Code of docs/clients.md by the name in its first line. */
const examples = new Map(
  [...readFileSync('docs/clients.md', 'utf8').matchAll(/```js\n\/\/ example: ([\w-]+)\n([\s\S]*?)```/g)].map(
    ([, name = '', code = '']) => [name, code],
  ),
);

/** Runs the example as a reader would, in a file of its own; gives what it printed. */
async function runExample(name: string, env: Record<string, string>): Promise<string> {
  // Below the root, so that the packages are found.
  const folder = mkdtempSync(join(process.cwd(), 'node_modules', '.cache', 'example-'));
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, examples.get(name) ?? '');
  try {
    return await runScript(file, { env });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('the examples of docs/clients.md', () => {
  let authority: Authority;
  let node: ReadyNode;

  beforeAll(async () => {
    authority = await createAuthority();
    cleanup(() => authority.remove());
    const { ca, server } = authority;
    node = await startNode({
      env: { UMBRA_MQTTS_PORT: '0', UMBRA_TLS_CERT: server.cert, UMBRA_TLS_KEY: server.key, UMBRA_TLS_CA: ca },
    });
    cleanup(() => node.stop());
  });

  const portOf = (url: string | null): string => new URL(url ?? '').port;

  it('are three', () => {
    expect([...examples.keys()]).toEqual(['node-data-plane', 'node-device-sdk-v2', 'node-device-sdk-v1']);
  });

  it('node-data-plane prints the delta', async () => {
    const env = { UMBRA_HOST: '127.0.0.1', UMBRA_PORT: portOf(node.httpUrl) };
    expect(await runExample('node-data-plane', env)).toBe('on\n');
  });

  it('node-device-sdk-v2 does what the delta says', async () => {
    const env = { UMBRA_HOST: '127.0.0.1', UMBRA_PORT: portOf(node.mqttUrl) };
    expect(await runExample('node-device-sdk-v2', env)).toBe('on\n');
  });

  it('node-device-sdk-v1 does what the delta says', async () => {
    const { cert, key } = await authority.client('lamp-sdk-v1');
    const files = { UMBRA_CA: authority.ca, UMBRA_CERT: cert, UMBRA_KEY: key };
    const env = { UMBRA_HOST: '127.0.0.1', UMBRA_PORT: portOf(node.mqttsUrl), ...files };
    expect(await runExample('node-device-sdk-v1', env)).toBe('on\n');
  });
});
