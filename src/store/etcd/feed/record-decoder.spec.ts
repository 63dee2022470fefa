import type { IKeyValue } from 'etcd3';
import { pino } from 'pino';
import { encodeRecord } from '../codec.js';
import { formatKey } from '../keys.js';
import { RecordDecoder } from './record-decoder.js';

const HISTORY = { cluster: 'c', epoch: 3 };
const KEY = { tenant: 't', thing: 'a', name: null };
const PLACE = formatKey('/p/', KEY);
const change = { kind: 'update' as const, principal: 'p', at: 5 };
const good = encodeRecord({ state: { version: 1, metadata: {} }, change, writes: ['w'] });

const kv = (key: string, value: Buffer | string): IKeyValue =>
  ({ key: Buffer.from(key), value: Buffer.from(value), mod_revision: '9' }) as unknown as IKeyValue;

describe('RecordDecoder', () => {
  let lines: { key: string; reason: string }[];
  let decoder: RecordDecoder;
  beforeEach(() => {
    lines = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    decoder = new RecordDecoder('/p/', logger);
  });

  it('gives a record its place in the history', () => {
    expect(decoder.decode(kv(PLACE, good), HISTORY)).toMatchObject({
      key: KEY,
      change,
      position: { cluster: 'c', epoch: 3, revision: 9 },
    });
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
    for (let i = 0; i < 3; i++) expect(decoder.decode(kv(key, value), HISTORY)).toBeNull();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ key, reason: expect.stringContaining(reason) });
  });

  it('says nothing of its own marker, and stops naming keys at a limit', () => {
    expect(decoder.decode(kv(decoder.marker, '{}'), HISTORY)).toBeNull();
    expect(lines).toEqual([]);
    for (let i = 0; i < 1_100; i++) decoder.decode(kv(`/p/shadows/x${i}`, good), HISTORY);
    expect(lines).toHaveLength(1_000);
  });
});
