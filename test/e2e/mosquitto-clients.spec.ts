import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  MosquittoSub,
  mosquittoPub,
  type MosquittoMessage,
  type MosquittoOptions,
} from '../harness/mosquitto-clients.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { topic } from './steps/device.js';
import { until } from '../harness/until.js';

const cleanup = cleanupAfterAll();
let node: ReadyNode;
let bigFile: string;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'umbra-mosquitto-'));
  cleanup(() => rm(folder, { recursive: true, force: true }));
  bigFile = join(folder, 'big.json');
  await writeFile(bigFile, JSON.stringify({ clientToken: 'big', state: { reported: { blob: 'x'.repeat(40_960) } } }));
  node = await startNode();
  cleanup(() => node.stop());
});

const MATRIX = (['3.1.1', '5'] as const).flatMap((version) => ([0, 1] as const).map((qos) => ({ version, qos })));
const SHADOWS = [
  { kind: 'classic', name: undefined },
  { kind: 'named', name: 'door:1' },
];

describe.each(MATRIX)('mosquitto_pub and mosquitto_sub, MQTT $version, QoS $qos', ({ version, qos }) => {
  let options: MosquittoOptions;
  let thing: string;

  beforeAll(() => {
    options = { url: node.mqttUrl, version, qos };
    thing = `mosquitto-${version.replaceAll('.', '')}-${qos}`;
  });

  describe.each(SHADOWS)('$kind shadow', ({ name }) => {
    let sub: MosquittoSub;
    const tail = (message: MosquittoMessage): string => message.topic.slice(topic(thing, '', name).length);

    beforeAll(async () => {
      sub = await MosquittoSub.start(
        options,
        topic(thing, '+/accepted', name),
        topic(thing, '+/rejected', name),
        topic(thing, 'update/delta', name),
        topic(thing, 'update/documents', name),
      );
      cleanup(() => sub.stop());
    });

    /** Publishes and returns what came, up to and with the message on `last`. */
    async function exchange(
      operation: string,
      last: string,
      payload?: string | { file: string },
    ): Promise<MosquittoMessage[]> {
      const from = sub.messages.length;
      const body = payload === undefined ? {} : typeof payload === 'string' ? { message: payload } : payload;
      await mosquittoPub(options, topic(thing, operation, name), body);
      const seen = (): MosquittoMessage[] => sub.messages.slice(from);
      await until(
        () => `${last} after ${operation}: ${JSON.stringify(seen())}`,
        () => seen().some((message) => tail(message) === last),
      );
      return seen();
    }

    it('get of nothing is rejected', async () => {
      const [answer] = await exchange('get', 'get/rejected');
      expect(answer?.json).toMatchObject({
        code: 404,
        message: expect.stringMatching(/^No shadow exists with name: /),
      });
      expect(answer?.json).not.toHaveProperty('clientToken');
    });

    it('update gives delta, documents and accepted, in this order', async () => {
      const seen = await exchange(
        'update',
        'update/accepted',
        '{"state":{"desired":{"led":"on"},"reported":{"led":"off"}},"clientToken":"t-1"}',
      );
      expect(seen.map(tail)).toEqual(['update/delta', 'update/documents', 'update/accepted']);
      const [delta, documents, accepted] = seen.map(({ json }) => json);
      expect(delta).toMatchObject({ version: 1, state: { led: 'on' }, clientToken: 't-1' });
      expect(documents).toMatchObject({
        previous: null,
        current: { version: 1, state: { desired: { led: 'on' }, reported: { led: 'off' } } },
      });
      expect(accepted).toMatchObject({
        version: 1,
        state: { desired: { led: 'on' }, reported: { led: 'off' } },
        clientToken: 't-1',
      });
      expect(Number.isInteger(accepted.timestamp)).toBe(true);
    });

    it('an update that settles the difference gives no delta', async () => {
      const seen = await exchange('update', 'update/accepted', '{"state":{"reported":{"led":"on"}},"version":1}');
      expect(seen.map(tail)).toEqual(['update/documents', 'update/accepted']);
      expect(seen[0]?.json.previous).toMatchObject({ version: 1, state: { reported: { led: 'off' } } });
      expect(seen[1]?.json).toMatchObject({ version: 2, state: { reported: { led: 'on' } } });
      expect(seen[1]?.json).not.toHaveProperty('clientToken');
    });

    it.each([
      {
        what: 'an old version',
        payload: '{"state":{"desired":{"led":"x"}},"version":1,"clientToken":"t-2"}',
        code: 409,
        message: /^Version conflict$/,
      },
      { what: 'invalid JSON', payload: '{"state":{"desired":', code: 400, message: /invalid json/i },
      { what: 'no state', payload: '{"foo":1}', code: 400, message: /^Missing required node: state$/ },
    ])('$what is rejected with $code', async ({ payload, code, message }) => {
      const seen = await exchange('update', 'update/rejected', payload);
      expect(seen.map(tail)).toEqual(['update/rejected']);
      expect(seen[0]?.json).toMatchObject({ code, message: expect.stringMatching(message) });
    });

    it('40 KB are rejected with 413, unread, so without their client token', async () => {
      const [answer] = await exchange('update', 'update/rejected', { file: bigFile });
      expect(answer?.json).toEqual({ code: 413, message: 'The payload exceeds the maximum size allowed' });
    });

    it('get gives the document, untouched by what was rejected', async () => {
      const [answer] = await exchange('get', 'get/accepted', '{"clientToken":"t-3"}');
      expect(answer?.json).toMatchObject({
        version: 2,
        clientToken: 't-3',
        state: { desired: { led: 'on' }, reported: { led: 'on' } },
      });
      expect(answer?.json.state).not.toHaveProperty('delta');
    });

    it('delete gives the version of what was deleted, and then 404', async () => {
      const [deleted] = await exchange('delete', 'delete/accepted');
      expect(deleted?.json).toEqual({ version: 2, timestamp: expect.any(Number) });
      const [again] = await exchange('delete', 'delete/rejected');
      expect(again?.json).toMatchObject({ code: 404 });
      const [gone] = await exchange('get', 'get/rejected');
      expect(gone?.json).toMatchObject({ code: 404 });
    });
  });
});
