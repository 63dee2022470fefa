import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NameCounts } from '../../name-counts.js';
import { decodeRecord, encodeRecord } from '../codec.js';
import { ParsedRecords, type CachedRecord } from './parsed-records.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const change = { kind: 'update', principal: 'p', at: 0 } as const;
const known: CachedRecord = {
  record: decodeRecord(encodeRecord({ state: { version: 1, metadata: {} }, change, writes: 'w.1' })),
  revision: 1,
};

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Parsed records that are full, with a hand that has moved. @returns also the keys that had to go, in their order */
function createFull(): { parsed: ParsedRecords; left: string[] } {
  const left: string[] = [];
  const parsed = new ParsedRecords(1024 ** 2, new NameCounts(64), ({ key }) => left.push(key));
  for (let i = 0; left.length === 0; i++) parsed.add(`k${i}`, known);
  return { parsed, left };
}

it('keeps nothing of shadows that were touched once, while the hand has no reason to move', () => {
  const { parsed, left } = createFull();
  const touch = (from: number, to: number): void => {
    for (let i = from; i < to; i++) parsed.addNewcomer(`once${i}`, known);
    left.length = 0;
  };
  touch(0, 10_000);
  const before = heapBytes();
  touch(10_000, 400_000);
  expect(heapBytes() - before).toBeLessThan(4 * 1024 ** 2);
});

it('lets go of what was not used since the hand came by last, each before any goes that was', () => {
  const { parsed, left } = createFull();
  const keys = [...parsed.all()].map(({ key }) => key);
  const used = keys.filter((_, i) => i % 2 === 0);
  for (const key of used) parsed.get(key)!.used = true;
  for (let i = 0; i < keys.length - used.length; i++) parsed.removeOne();
  expect(left.filter((key) => used.includes(key))).toEqual([]);
  expect([...parsed.all()].map(({ key }) => key).sort()).toEqual([...used].sort());
});

it('holds what is left, wherever something was removed', () => {
  const { parsed, left } = createFull();
  for (const each of [...parsed.all()].filter((_, i) => i % 3 === 0)) parsed.delete(each);
  const held = [...parsed.all()].map(({ key }) => key);
  left.length = 0;
  for (let i = 0; i < held.length; i++) parsed.removeOne();
  expect([...left].sort()).toEqual([...held].sort());
  expect(parsed.size).toBe(0);
  parsed.removeOne();
  parsed.add('a', known);
  expect(parsed.get('a')?.known).toBe(known);
});
