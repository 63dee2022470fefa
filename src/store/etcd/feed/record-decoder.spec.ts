import { jest } from '@jest/globals';
import type { IKeyValue } from 'etcd3';
import { pino } from 'pino';
import { watchEvents } from '../../../../test/harness/watch-events.js';
import type { FeedRecord } from '../../shadow-feed.js';
import { hashOf } from '../../name-hash.js';
import { decodeRecord, encodeRecord } from '../codec.js';
import { presenceRecord } from '../../../../test/harness/presence-record.js';
import { recordKey, writeRecord } from '../../presence-record.js';
import { PRESENCE, PresenceUpdate } from '../../presence-update.js';
import { formatKey, presencePrefix } from '../keys.js';
import { RecordDecoder } from './record-decoder.js';

const HISTORY = { cluster: 'c', epoch: 3 };
const POSITION = { ...HISTORY, revision: 9 };
const KEY = { tenant: 't', thing: 'a', name: null };
const PLACE = formatKey('/p/', KEY);
const change = { kind: 'update' as const, principal: 'p', at: 5 };
const good = encodeRecord({ state: { version: 1, metadata: {} }, change, writes: 'w' });

const kv = (key: string, value: Buffer | string): IKeyValue =>
  ({ key: Buffer.from(key), value: Buffer.from(value), mod_revision: '9' }) as unknown as IKeyValue;

/** A value that begins as a record does, and is none. */
const DAMAGED = '{"f":2,"w":"a.1","v":';

describe('RecordDecoder', () => {
  let lines: { key: string; reason: string }[];
  let decoder: RecordDecoder;
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  beforeEach(() => {
    lines = [];
    decoder = new RecordDecoder('/p/', logger);
  });

  const put = (key: string, value: Buffer | string, from = decoder): FeedRecord | null =>
    from.decode(watchEvents([{ key, value, revision: 9 }])[0]!, POSITION);

  it('gives a record its place in the history', () => {
    const expected = { key: KEY, change, position: POSITION, bytes: good.length };
    expect(decoder.decodeRead(kv(PLACE, good), HISTORY)).toMatchObject(expected);
    expect(put(PLACE, good)).toMatchObject(expected);
    expect(lines).toEqual([]);
  });

  it.each([
    ['broken JSON', PLACE, '{"version":', 'JSON'],
    ['null', PLACE, 'null', 'not a shadow record'],
    ['JSON of something else', PLACE, '[1]', 'not a shadow record'],
    ['nothing', PLACE, '', 'JSON'],
    ['bytes that are no text', PLACE, Buffer.from([0xff, 0xfe, 0x00]), 'JSON'],
    ['the key of something else', '/p/shadows/zz', good, 'not the key of a shadow'],
  ])('skips %s, and names the key and the reason once', (_, key, value, reason) => {
    for (let i = 0; i < 3; i++) {
      expect(put(key, value)).toBeNull();
      expect(decoder.decodeRead(kv(key, value), HISTORY)).toBeNull();
    }
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ key, reason: expect.stringContaining(reason) });
  });

  it('finds damage only when somebody looks, names it once, and has no state then', () => {
    const record = put(PLACE, DAMAGED);
    expect(record?.key).toEqual(KEY);
    expect(lines).toEqual([]);
    expect(record?.isReadable).toBe(false);
    expect(record?.isReadable).toBe(false);
    expect(() => record?.state).toThrow('not a shadow record');
    expect(() => record?.change).toThrow('not a shadow record');
    expect(put(PLACE, DAMAGED)?.isReadable).toBe(false);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ key: PLACE, reason: expect.stringContaining('JSON') });
  });

  it('says nothing of its own marker, and stops naming keys at a limit', () => {
    expect(put(decoder.marker, '{}')).toBeNull();
    expect(decoder.decodeRead(kv(decoder.marker, '{}'), HISTORY)).toBeNull();
    expect(lines).toEqual([]);
    for (let i = 0; i < 1_100; i++) put(`/p/shadows/x${i}`, good);
    expect(lines).toHaveLength(1_000);
  });

  it('parses values of the first format at once: their first bytes do not tell what they are', () => {
    const first = encodeRecord({ state: { version: 1, metadata: {} }, change, writes: 'w' }, 1);
    expect(put(PLACE, first)?.state.version).toBe(1);
    expect(put(PLACE, first.subarray(0, -1))).toBeNull();
    expect(lines).toHaveLength(1);
  });

  it('reads the presence of clients that are things, and passes over other clients without a word', () => {
    const place = (clientId: string): string => presencePrefix('/p/') + recordKey({ tenant: 't', clientId });
    const written = presenceRecord('s');
    const found = put(place('lamp:1'), writeRecord(written)) as PresenceUpdate;
    expect(found).toBeInstanceOf(PresenceUpdate);
    expect(found).toMatchObject({ thingHash: hashOf('lamp:1'), presence: written, position: POSITION });
    expect(found.key).toEqual({ tenant: 't', thing: 'lamp:1', name: PRESENCE });
    expect(() => found.state).toThrow('no document');
    expect(put(place('a/b'), writeRecord(written))).toBeNull();
    expect(put(place('~progress'), '')).toBeNull();
    expect(put('/p/epoch', '{"epoch":1}')).toBeNull();
    expect(put(place('lamp'), 'damaged')?.isReadable).toBe(false);
    expect(lines).toEqual([]);
  });

  it('takes what the node knows already', () => {
    const known = decodeRecord(encodeRecord({ state: { version: 7, metadata: {} }, change, writes: 'w' }));
    const knows = new RecordDecoder('/p/', logger, { mayKnow: (hash) => hash === hashOf(PLACE), take: () => known });
    expect(put(PLACE, DAMAGED, knows)).toMatchObject({ state: known.state, key: KEY });
    expect(lines).toEqual([]);
  });

  it('asks nobody for a value by a key that nobody knows', () => {
    const take = jest.fn(() => undefined);
    const asks = new RecordDecoder('/p/', logger, { mayKnow: (hash) => hash === hashOf(`${PLACE}x`), take });
    expect(put(PLACE, good, asks)).toMatchObject({ key: KEY, thingHash: hashOf('a'), change });
    expect(take).not.toHaveBeenCalled();
  });
});
