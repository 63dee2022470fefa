import { createAuthority, type Authority } from '../harness/certificates.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { runClient } from '../harness/sdk-client.js';
import { cleanupAfterAll } from './steps/cleanup.js';

interface Result {
  readonly answers: Record<string, { readonly status: string; readonly message: Record<string, unknown> }>;
  readonly events: Record<
    'delta' | 'foreign' | 'timeout' | 'error',
    readonly { readonly message: Record<string, unknown> }[]
  >;
}

const cleanup = cleanupAfterAll();
let result: Result;

describe('aws-iot-device-sdk, thingShadow over TLS with a client certificate', () => {
  let authority: Authority;
  let node: ReadyNode;

  beforeAll(async () => {
    authority = await createAuthority();
    cleanup(() => authority.remove());
    node = await startNode({ env: tlsEnvironment(authority) });
    cleanup(() => node.stop());
    result = await runClient<Result>('sdk-v1-thing-shadow.mjs', {
      host: '127.0.0.1',
      port: Number(new URL(node.mqttsUrl ?? '').port),
      clientId: 'sdk-v1',
      thing: 'sdk-v1-thing',
      tls: { ca: authority.ca, ...(await authority.client('sdk-v1-thing')) },
    });
  });

  it.each([
    ['get of nothing', 'rejected', { code: 404 }],
    ['create', 'accepted', { version: 1, state: { desired: { led: 'on' } } }],
    ['settle', 'accepted', { version: 2, state: { reported: { led: 'on' } } }],
    ['get', 'accepted', { version: 2, state: { desired: { led: 'on' }, reported: { led: 'on' } } }],
    ['get once more', 'accepted', { version: 2 }],
    ['change by another', 'accepted', { version: 3, state: { reported: { rpm: 9 } } }],
    ['conflict', 'rejected', { code: 409, message: 'Version conflict' }],
    ['get after the conflict', 'accepted', { version: 3, state: { reported: { led: 'on', rpm: 9 } } }],
    ['update after the conflict', 'accepted', { version: 4 }],
    ['delete', 'accepted', { version: 4 }],
    ['get deleted', 'rejected', { code: 404 }],
  ])('%s: %s', (step, status, message) => {
    expect(result.answers[step]).toMatchObject({ status, message });
  });

  it('gets the delta of the one update after which something differs', () => {
    expect(result.events.delta.map(({ message }) => message)).toEqual([
      expect.objectContaining({ version: 1, state: { led: 'on' } }),
    ]);
  });

  it('nothing times out and nothing fails', () => {
    expect(result.events.timeout).toEqual([]);
    expect(result.events.error).toEqual([]);
  });
});

function tlsEnvironment({ ca, server }: Authority): Record<string, string> {
  return { UMBRA_MQTTS_PORT: '0', UMBRA_TLS_CERT: server.cert, UMBRA_TLS_KEY: server.key, UMBRA_TLS_CA: ca };
}
