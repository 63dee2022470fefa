import { jest } from '@jest/globals';
import { watchEvents } from '../../../../test/harness/watch-events.js';
import { StoredRecord, type RecordContent, type RecordSource } from './stored-record.js';
import type { WatchEvent } from './watch-event.js';

const KEY = { tenant: 't', thing: 'a', name: null };
const POSITION = { cluster: 'c', epoch: 0, revision: 9 };
const HASH = 7;
const from = (content: RecordSource['content']): RecordSource => ({
  key: (event) => ({ ...KEY, thing: event.name === 'k' ? KEY.thing : 'another' }),
  content,
});
const CONTENT: RecordContent = {
  state: { version: 1, metadata: {} },
  change: { kind: 'update', principal: 'p', at: 5 },
};

describe('a record as the watch brought it', () => {
  const record = (parse: (event: WatchEvent) => RecordContent | null): StoredRecord =>
    new StoredRecord(POSITION, HASH, watchEvents([{ key: 'k', value: 'twelve bytes', revision: 9 }])[0]!, from(parse));

  it('has no key before somebody asks, and then one for all', () => {
    const key = jest.fn(() => KEY);
    const event = watchEvents([{ key: 'k', value: 'twelve bytes', revision: 9 }])[0]!;
    const one = new StoredRecord(POSITION, HASH, event, { key, content: () => CONTENT });
    expect([one.thingHash, one.bytes]).toEqual([HASH, 12]);
    expect(key).not.toHaveBeenCalled();
    expect([one.key, one.state, one.key]).toEqual([KEY, CONTENT.state, KEY]);
    expect(key).toHaveBeenCalledTimes(1);
  });

  it('is not parsed for its key, its place and its size', () => {
    const parse = jest.fn(() => CONTENT);
    expect(record(parse)).toMatchObject({ key: KEY, position: POSITION, bytes: 12 });
    expect(parse).not.toHaveBeenCalled();
  });

  it('is parsed once, however many look at it', () => {
    const parse = jest.fn((event: WatchEvent) => (event.value.toString() === 'twelve bytes' ? CONTENT : null));
    const one = record(parse);
    expect([one.isReadable, one.isReadable]).toEqual([true, true]);
    expect([one.state, one.state, one.change]).toEqual([CONTENT.state, CONTENT.state, CONTENT.change]);
    expect(parse).toHaveBeenCalledTimes(1);
  });

  it('that is known is not parsed, and needs its bytes no longer for who keeps it', () => {
    const bytes = watchEvents([{ key: 'k', value: 'twelve bytes', revision: 9 }])[0]!;
    const known = new StoredRecord(
      POSITION,
      HASH,
      bytes,
      from(() => null),
      CONTENT,
    );
    known.keep();
    bytes.bytes.fill('?');
    expect([known.isReadable, known.key, known.state]).toEqual([true, KEY, CONTENT.state]);
  });

  it('says that it is none, once it was looked at', () => {
    const parse = jest.fn(() => null);
    const none = record(parse);
    expect([none.isReadable, none.isReadable]).toEqual([false, false]);
    expect(none.key).toEqual(KEY);
    expect(() => none.state).toThrow('ask isReadable first');
    expect(() => none.change).toThrow('ask isReadable first');
    expect(parse).toHaveBeenCalledTimes(1);
  });
});
