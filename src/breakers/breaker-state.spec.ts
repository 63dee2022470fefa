import { readState, writeState } from './breaker-state.js';
import { PeerStates } from './peer-states.js';

describe('the record of a breaker', () => {
  it.each([
    { state: 'open', failureCount: 4, openedAt: 1_700_000_000_000 },
    { state: 'half-open', failureCount: 5, openedAt: 1 },
    { state: 'closed', failureCount: 0, openedAt: null },
  ] as const)('is read as it was written: %j', (state) => {
    expect(readState(writeState(state))).toEqual(state);
  });

  it.each([
    '',
    'open',
    'null',
    '7',
    '[]',
    '{}',
    '{"state":"ajar"}',
    '{"state":{}}',
    `{"state":"open"${' '.repeat(600)}}`,
  ])('is none in %j', (text) => {
    expect(readState(text)).toBeNull();
  });

  it.each([
    ['{"state":"open"}', { state: 'open', failureCount: 0, openedAt: null }],
    [
      '{"state":"open","failureCount":"x","openedAt":1e99,"more":1}',
      { state: 'open', failureCount: 0, openedAt: null },
    ],
  ])('takes of %s what it can', (text, state) => {
    expect(readState(text)).toEqual(state);
  });
});

describe('the states of peers', () => {
  const open = writeState({ state: 'open', failureCount: 4, openedAt: 1 });
  const probing = writeState({ state: 'half-open', failureCount: 4, openedAt: 1 });
  const closed = writeState({ state: 'closed', failureCount: 0, openedAt: null });

  it('name the nodes on which a breaker is not closed', () => {
    const peers = new PeerStates();
    expect([peers.set('d', 'a', open), peers.set('d', 'b', probing), peers.set('e', 'a', open)]).toEqual([
      ...[false, false, false],
    ]);
    expect([peers.openOn('d'), peers.openOn('e'), peers.openOn('f')]).toEqual([['a', 'b'], ['a'], []]);
    expect(peers.set('d', 'a', closed)).toBe(true);
    expect(peers.set('d', 'b', null)).toBe(false);
    expect(peers.set('e', 'a', 'nonsense')).toBe(false);
    expect([peers.openOn('d'), peers.openOn('e')]).toEqual([[], []]);
  });

  it('are bounded', () => {
    const peers = new PeerStates(3);
    for (let i = 0; i < 10; i++) peers.set(`d${i}`, 'a', open);
    expect([peers.has('d2', 'a'), peers.has('d3', 'a')]).toEqual([true, false]);
    peers.set('d0', 'a', null);
    peers.set('d0', 'a', null);
    for (let i = 3; i < 10; i++) peers.set(`d${i}`, 'a', open);
    expect([peers.has('d3', 'a'), peers.has('d4', 'a')]).toEqual([true, false]);
  });
});
