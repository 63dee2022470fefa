import { jest } from '@jest/globals';
import { SettableClock } from '../../../test/harness/clock.js';
import { MemoryClusterKeys } from '../../../test/harness/memory-cluster-keys.js';
import { thumbprint } from './signing-key.js';
import { SIGNING_KEYS, SigningKeys } from './signing-keys.js';
import { MAX_SIGNING_KEYS } from './signing-ring.js';
import { LONGEST_VALIDITY_MS } from './token-rules.js';

const DAY_MS = 86_400_000;
const master = Buffer.alloc(32, 1);

describe('SigningKeys', () => {
  let clock: SettableClock;
  let keys: MemoryClusterKeys;
  const node = (secret = master) => new SigningKeys(keys, secret, clock);
  const opened = async () => {
    const made = node();
    await made.open();
    return made;
  };
  const kids = (signing: SigningKeys) => signing.published().keys.map(({ kid }) => kid);
  beforeEach(() => {
    clock = new SettableClock();
    keys = new MemoryClusterKeys();
  });

  it('makes one ring for nodes that start together', async () => {
    const nodes = Array.from({ length: 5 }, () => node());
    await Promise.all(nodes.map((each) => each.open()));
    expect(new Set(nodes.map(({ current }) => current.kid)).size).toBe(1);
    expect(kids(nodes[0] as SigningKeys)).toHaveLength(2);
  });

  it('publishes public halves only, by their thumbprints', async () => {
    const { keys: published } = (await opened()).published();
    for (const key of published) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      expect(key.kid).toBe(thumbprint(key));
    }
    expect([...keys.keys.values()].map(({ value }) => value).join()).not.toContain('PRIVATE KEY');
  });

  it('signs with the key that was published before, and keeps the old one until its last token has ended', async () => {
    const a = await opened();
    const [first, next] = kids(a) as [string, string];
    await a.rotate();
    expect(a.current.kid).toBe(next);
    expect(kids(a)).toHaveLength(3);
    clock.advance(LONGEST_VALIDITY_MS - 1);
    expect([a.knows(first), await a.find(first)]).toEqual([true, expect.anything()]);
    clock.advance(1);
    expect([a.knows(first), await a.find(first)]).toEqual([false, null]);
    expect(kids(a)).not.toContain(first);
    // The private half of an old key is gone at once.
    const { old } = JSON.parse(keys.keys.get(SIGNING_KEYS)?.value ?? '') as { old: { sealed: unknown }[] };
    expect(old.map(({ sealed }) => sealed)).toEqual([null]);
  });

  it('rotates once when it is due, however many nodes ask', async () => {
    const nodes = await Promise.all([opened(), opened(), opened()]);
    const before = nodes[0]?.current.kid;
    const all = () => Promise.all(nodes.map((each) => each.rotateIfDue(30 * DAY_MS)));
    await all();
    expect(nodes.map(({ current }) => current.kid)).toEqual([before, before, before]);
    clock.advance(30 * DAY_MS);
    await all();
    expect(new Set(nodes.map(({ current }) => current.kid)).size).toBe(1);
    expect(nodes[0]?.current.kid).not.toBe(before);
    expect(kids(nodes[0] as SigningKeys)).toHaveLength(3);
  });

  it('reads the record again for a kid that it does not know, at most once a second', async () => {
    const [a, b] = [await opened(), await opened()];
    clock.advance(1_000);
    await a.rotate();
    await a.rotate();
    const get = jest.spyOn(keys, 'get');
    expect(await b.find(a.current.kid)).not.toBeNull();
    expect(get).toHaveBeenCalledTimes(1);
    await Promise.all(Array.from({ length: 100 }, (_, i) => b.find(`../../${i}`)));
    expect(get).toHaveBeenCalledTimes(1);
    clock.advance(1_000);
    await Promise.all(Array.from({ length: 100 }, (_, i) => b.find(`${i}`)));
    expect(get).toHaveBeenCalledTimes(2);
  });

  it('goes on with the keys that it has while the storage does not answer', async () => {
    const a = await opened();
    clock.advance(10_000);
    keys.get = () => Promise.reject(new Error('unavailable'));
    expect(await a.find('unknown')).toBeNull();
    expect(await a.find(a.current.kid)).not.toBeNull();
  });

  it('ignores an older record that comes late', async () => {
    const a = await opened();
    const old = keys.keys.get(SIGNING_KEYS);
    await a.rotate();
    const { kid } = a.current;
    a.change({ key: SIGNING_KEYS, ...(old as NonNullable<typeof old>) });
    expect(a.current.kid).toBe(kid);
  });

  it('follows a watch, and keeps its keys when the record is gone', async () => {
    const [a, b] = [await opened(), await opened()];
    await a.rotate();
    b.change({ key: SIGNING_KEYS, ...(keys.keys.get(SIGNING_KEYS) as { value: string; revision: number }) });
    expect(b.current.kid).toBe(a.current.kid);
    b.change({ key: SIGNING_KEYS, value: null, revision: 99 });
    b.snapshot(new Map());
    expect(b.current.kid).toBe(a.current.kid);
  });

  it('goes back with the storage when a backup is restored', async () => {
    const a = await opened();
    const { kid } = a.current;
    const old = keys.keys.get(SIGNING_KEYS);
    await a.rotate();
    a.snapshot(new Map([[SIGNING_KEYS, old as NonNullable<typeof old>]]));
    expect(a.current.kid).toBe(kid);
  });

  it('accepts nothing of earlier keys after all were replaced', async () => {
    const a = await opened();
    await a.rotate();
    const before = kids(a);
    await a.replaceAll();
    expect(before.filter((kid) => a.knows(kid))).toEqual([]);
  });

  it('holds a bounded number of keys, and says when it goes on', async () => {
    const a = await opened();
    const rotateAll = async () => {
      for (let i = 0; i < MAX_SIGNING_KEYS; i++) await a.rotate();
    };
    await expect(rotateAll()).rejects.toThrow(/rotate again after 20\d\d-/);
    expect(kids(a)).toHaveLength(MAX_SIGNING_KEYS);
    clock.advance(LONGEST_VALIDITY_MS);
    await a.rotate();
    expect(kids(a)).toHaveLength(3);
  });

  it('does not start under another master key', async () => {
    await opened();
    await expect(node(Buffer.alloc(32, 2)).open()).rejects.toThrow('sealed under another master key');
  });

  it.each([
    ['not JSON', 'x', 'damaged (JSON)'],
    ['another format', '{"format":2}', 'has format 2; this version reads 1 only'],
    ['no key', '{"format":1,"old":[]}', 'damaged (current)'],
    ['null', 'null', 'has format none'],
  ])('refuses a record that is %s', async (_what, value, message) => {
    await keys.commit({ guards: [], puts: [{ key: SIGNING_KEYS, value }] });
    await expect(node().open()).rejects.toThrow(message);
  });

  it('refuses a record in which a kid names another key', async () => {
    await opened();
    const stored = keys.keys.get(SIGNING_KEYS)?.value ?? '';
    const record = JSON.parse(stored) as { current: { jwk: unknown }; next: { jwk: unknown } };
    const value = JSON.stringify({ ...record, current: { ...record.current, jwk: record.next.jwk } });
    await keys.commit({ guards: [], puts: [{ key: SIGNING_KEYS, value }] });
    await expect(node().open()).rejects.toThrow('damaged (current)');
  });
});
