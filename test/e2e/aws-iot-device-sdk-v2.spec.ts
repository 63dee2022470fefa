import { createAuthority, type Authority } from '../harness/certificates.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { runClient } from '../harness/sdk-client.js';
import { cleanupAfterAll } from './steps/cleanup.js';

interface Event {
  readonly kind: string;
  readonly error: string | null;
  readonly response: Record<string, unknown> | null;
}
interface V2Result {
  readonly answers: Record<string, { readonly ok?: Record<string, unknown>; readonly error?: Record<string, unknown> }>;
  readonly streams: Record<'delta' | 'documents' | 'namedDelta', readonly Record<string, unknown>[]>;
}

const cleanup = cleanupAfterAll();
let authority: Authority;
let node: ReadyNode;

beforeAll(async () => {
  authority = await createAuthority();
  cleanup(() => authority.remove());
  const { ca, server } = authority;
  const env = { UMBRA_MQTTS_PORT: '0', UMBRA_TLS_CERT: server.cert, UMBRA_TLS_KEY: server.key, UMBRA_TLS_CA: ca };
  node = await startNode({ env });
  cleanup(() => node.stop());
});

const WAYS = ([3, 5] as const).flatMap((version) =>
  (['tcp', 'tls'] as const).map((transport) => ({
    version,
    transport,
    label: version === 3 ? 'MQTT 3.1.1' : 'MQTT 5',
  })),
);

describe.each(WAYS)('aws-iot-device-sdk-v2, $label over $transport', ({ version, transport }) => {
  async function clientOptions(thing: string): Promise<object> {
    const url = new URL((transport === 'tls' ? node.mqttsUrl : node.mqttUrl) ?? '');
    const tls = transport === 'tls' ? { ca: authority.ca, ...(await authority.client(thing)) } : undefined;
    // A name for TLS and an address without it: the SDK sends the first as SNI.
    const host = transport === 'tls' ? 'localhost' : '127.0.0.1';
    return { version, host, port: Number(url.port), clientId: `client-${thing}`, thing, tls };
  }

  describe('IotShadowClient', () => {
    let events: Event[];
    beforeAll(async () => {
      events = await runClient<Event[]>(
        'sdk-v2-shadow-client.mjs',
        await clientOptions(`v2-plain-${version}-${transport}`),
      );
    });

    const KINDS = [
      'get/rejected',
      'update/delta',
      'update/documents',
      'update/accepted',
      'update/documents',
      'update/accepted',
      'update/rejected',
      'get/accepted',
      'delete/accepted',
      'delete/rejected',
      'named update/delta',
      'named update/accepted',
      'named get/accepted',
      'named delete/accepted',
    ];

    it('gets every message once, each operation in the order delta, documents, accepted', () => {
      const kinds = events.map(({ kind }) => kind);
      // Its MQTT 3.1.1 connection hands messages of different subscriptions to the application in any order.
      if (version === 5) expect(kinds).toEqual(KINDS);
      else expect([...kinds].sort()).toEqual([...KINDS].sort());
      expect(events.filter(({ error }) => error !== null)).toEqual([]);
    });

    it.each([
      ['get/rejected', 0, { code: 404, clientToken: 'get-1' }],
      ['update/delta', 0, { version: 1, state: { led: 'on' }, clientToken: 'update-1' }],
      ['update/accepted', 0, { version: 1, state: { desired: { led: 'on' } }, clientToken: 'update-1' }],
      ['update/documents', 0, { current: { version: 1, state: { desired: { led: 'on' } } } }],
      ['update/documents', 1, { previous: { version: 1 }, current: { version: 2, state: { reported: { rpm: 3 } } } }],
      ['update/accepted', 1, { version: 2, state: { reported: { led: 'on', rpm: 3 } }, clientToken: 'update-2' }],
      ['update/rejected', 0, { code: 409, message: 'Version conflict', clientToken: 'update-3' }],
      ['get/accepted', 0, { version: 2, state: { desired: { led: 'on' }, reported: { led: 'on', rpm: 3 } } }],
      ['delete/accepted', 0, { version: 2, clientToken: 'delete-1' }],
      ['delete/rejected', 0, { code: 404, clientToken: 'delete-2' }],
      ['named get/accepted', 0, { version: 1, state: { desired: { door: 'open' } }, clientToken: 'n-2' }],
    ])('%s number %i is right', (kind, index, expected) => {
      const ofKind = events.filter((event) => event.kind === kind);
      expect(ofKind[index]?.response).toMatchObject(expected);
    });
  });

  describe('IotShadowClientv2', () => {
    let result: V2Result;
    beforeAll(async () => {
      result = await runClient<V2Result>(
        'sdk-v2-shadow-client-v2.mjs',
        await clientOptions(`v2-rr-${version}-${transport}`),
      );
    });

    it.each([
      ['get of nothing', { error: { code: 404 } }],
      ['create', { ok: { version: 1, state: { desired: { led: 'on' }, reported: { led: 'off' } } } }],
      ['settle', { ok: { version: 2, state: { reported: { led: 'on' } } } }],
      ['conflict', { error: { code: 409, message: 'Version conflict' } }],
      ['get', { ok: { version: 2, state: { desired: { led: 'on' }, reported: { led: 'on' } } } }],
      ['delete', { ok: { version: 2 } }],
      ['delete of nothing', { error: { code: 404 } }],
      ['named create', { ok: { version: 1, state: { desired: { door: 'open' } } } }],
      ['named get', { ok: { version: 1, state: { desired: { door: 'open' }, delta: { door: 'open' } } } }],
      ['named delete', { ok: { version: 1 } }],
    ])('%s', (step, expected) => {
      expect(result.answers[step]).toMatchObject(expected);
    });

    it('its streams get each delta and each change once', () => {
      expect(result.streams.delta).toEqual([expect.objectContaining({ version: 1, state: { led: 'on' } })]);
      expect(result.streams.namedDelta).toEqual([expect.objectContaining({ version: 1, state: { door: 'open' } })]);
      expect(result.streams.documents).toMatchObject([
        { current: { version: 1 } },
        { previous: { version: 1 }, current: { version: 2 } },
      ]);
    });
  });
});

describe('the TLS port', () => {
  it('refuses a client certificate of another authority', async () => {
    const stranger = await createAuthority();
    cleanup(() => stranger.remove());
    const pair = await stranger.client('stranger');
    const options = {
      version: 3,
      host: 'localhost',
      port: Number(new URL(node.mqttsUrl ?? '').port),
      clientId: 'stranger',
      thing: 'stranger',
      tls: { ca: authority.ca, ...pair },
    };
    await expect(runClient('sdk-v2-shadow-client.mjs', options)).rejects.toThrow(/ended with [1-9]/);
  });
});
