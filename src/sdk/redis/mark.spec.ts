import { entryOf, orderOf } from './entry.js';
import { isBefore, markOf, standingOf, type Standing } from './mark.js';

describe('where a change stands', () => {
  const mark = markOf('1:20:500-3');

  it.each<[epoch: number, revision: number, entry: string, Standing]>([
    [1, 21, '501-0', 'next'],
    [1, 21, '400-0', 'next'],
    [2, 1, '501-0', 'next'],
    [1, 20, '500-3', 'repeated'],
    [1, 20, '400-0', 'repeated'],
    [1, 20, '600-0', 'repeated'],
    [1, 19, '500-4', 'repeated'],
    [1, 19, '500-2', 'late'],
    [0, 99, '499-9', 'late'],
    [0, 99, '1000-0', 'repeated'],
  ])('epoch %i, revision %i in %s: %s', (epoch, revision, entry, standing) => {
    expect(standingOf({ epoch, revision, entry }, mark)).toBe(standing);
    expect(standingOf({ epoch, revision, entry }, null)).toBe('next');
  });

  it('compares ids by number', () => {
    expect([isBefore('9-0', '10-0'), isBefore('10-9', '10-10'), isBefore('10-0', '10-0')]).toEqual([true, true, false]);
    expect(markOf('')).toBeNull();
  });
});

describe('an entry', () => {
  const written = { id: 'acme/lamp//7.2', revision: '7', version: '3', tenant: 'acme', thing: 'lamp', shadow: '' };
  const raw = (fields: object) => ({ entry: '1-0', fields: Object.entries(fields).flat() as string[] });

  it('has what the sink has written', () => {
    const classic = entryOf(raw({ ...written, kind: 'updated', event: '{"kind":"updated"}' }))!;
    expect(classic).toEqual({
      ...{ entry: '1-0', id: 'acme/lamp//7.2', revision: 7, epoch: 2, version: 3, tenant: 'acme', thing: 'lamp' },
      ...{ shadow: null, kind: 'updated', event: { kind: 'updated' } },
    });
    expect(orderOf(classic)).toBe('acme/lamp/');
    const presence = entryOf(raw({ ...written, id: 'acme/lamp/.presence/7', kind: 'presence', event: '{}' }))!;
    expect([orderOf(presence), presence.epoch, presence.shadow]).toEqual(['acme/lamp/.presence', 0, null]);
  });

  it.each([
    ['no id', { kind: 'updated', event: '{}' }],
    ['another kind', { ...written, kind: 'moved', event: '{}' }],
    ['no JSON', { ...written, kind: 'updated', event: '{' }],
    ['no object', { ...written, kind: 'updated', event: '[]' }],
    ['null', { ...written, kind: 'updated', event: 'null' }],
    ['an id without a revision', { ...written, id: 'acme/lamp/', kind: 'updated', event: '{}' }],
  ])('is none of ours with %s', (_, fields) => {
    expect(entryOf(raw(fields))).toBeNull();
  });
});
