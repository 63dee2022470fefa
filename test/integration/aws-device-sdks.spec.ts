import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertifiedNode } from '../harness/certified-node.js';
import { createAuthority, type Authority, type KeyPair } from '../harness/certificates.js';
import { runClient } from '../harness/sdk-client.js';
import type * as x509 from '../harness/x509.js';

/** The device SDKs of AWS at the TLS doors of a node with authentication; aws-signature-access.spec.ts has signed URLs. */
let results: Record<string, unknown>;
let authority: Authority;
let certified: CertifiedNode;
const folder = mkdtempSync(join(tmpdir(), 'umbra-sdks-'));

/** The certificate of a lamp, in files. RSA: the oldest of the SDKs takes no other keys. */
function lampOf(issuer: x509.Issued, name: string): KeyPair {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { pem, key } = certified.device(issuer, 'lamp', { keys });
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  writeFileSync(files.cert, pem);
  writeFileSync(files.key, key);
  return files;
}

beforeAll(async () => {
  authority = await createAuthority();
  const { cert, key } = authority.server;
  certified = await CertifiedNode.start({ environment: { UMBRA_TLS_CERT: cert, UMBRA_TLS_KEY: key } });
  const { node } = certified;
  node.clock.set(Date.now());
  const ca = certified.authority();
  expect((await certified.register(ca)).status).toBe(201);
  const password = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  results = await runClient('known-devices.mjs', {
    mqttsPort: Number(new URL(node.mqttsUrl!).port),
    httpsPort: Number(new URL(node.httpsUrl!).port),
    ...{ ca: authority.ca, own: lampOf(ca, 'own'), stranger: lampOf(certified.authority(), 'stranger') },
    ...{ key: password, wrongKey: password.slice(0, -1), thing: 'lamp', foreign: 'door' },
  });
});
afterAll(async () => {
  await certified.stop();
  await authority.remove();
  rmSync(folder, { recursive: true });
});

// Rows: way, whether it is served. The words of refusals are those of the SDKs.
it.each([
  ['v1, certificate', true],
  ['v1, foreign certificate', /Bad username or password/],
  ['v1, key beside a foreign certificate', true],
  ['v1, key over WebSocket', true],
  ['v1, wrong key over WebSocket', /Bad username or password/],
  ['v2 with 3.1.1, certificate', true],
  ['v2 with 3.1.1, foreign certificate', /Failed to connect/],
  ['v2 with 3.1.1, key', true],
  ['v2 with 3.1.1, wrong key', /Failed to connect/],
  ['v2 with 5, certificate', true],
  ['v2 with 5, foreign certificate', /^Error: 134 .*CONNECTION_REFUSED/],
  ['v2 with 5, key', true],
  ['v2 with 5, wrong key', /^Error: 134 .*CONNECTION_REFUSED/],
  ['v2 with 5, key over WebSocket', true],
])('%s: its own thing and no other, or nothing', (way, served) => {
  if (served === true) expect(results[way]).toEqual({ accepted: expect.any(String), refused: true });
  else expect(results[way]).toMatch(served as RegExp);
});
