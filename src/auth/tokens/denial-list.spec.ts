import { SettableClock } from '../../../test/harness/clock.js';
import { MemoryClusterKeys } from '../../../test/harness/memory-cluster-keys.js';
import { until } from '../../../test/harness/until.js';
import { DenialList, type Deniable } from './denial-list.js';
import { LONGEST_VALIDITY_MS } from './token-rules.js';

const PRINCIPAL = { kind: 'principal', tenant: 'acme', principal: 'lamp' } as const;

describe('DenialList', () => {
  let clock: SettableClock;
  let keys: MemoryClusterKeys;
  let list: DenialList;
  const token = (changes: Partial<Deniable> = {}): Deniable => ({
    ...{ issuer: 'i', id: 'j', tenant: 'acme', principal: 'lamp', issuedAt: clock.now() },
    ...changes,
  });
  beforeEach(() => {
    clock = new SettableClock();
    keys = new MemoryClusterKeys();
    list = new DenialList(keys, clock);
  });

  it('denies on this node before the storage has answered, and when it does not', async () => {
    keys.grant = () => Promise.reject(new Error('unavailable'));
    const denying = list.deny(PRINCIPAL);
    expect(list.faultOf(token())).toMatchObject({ code: 'AUTH_105' });
    await expect(denying).rejects.toThrow('unavailable');
    expect(list.faultOf(token())).not.toBeNull();
  });

  it('reaches another node by its record, read or watched', async () => {
    await list.deny(PRINCIPAL);
    const [loading, watching] = [new DenialList(keys, clock), new DenialList(keys, clock)];
    await loading.load();
    const [[key, { value }] = ['', { value: '' }]] = [...keys.keys];
    watching.change({ key, value });
    for (const node of [loading, watching]) expect(node.faultOf(token())).not.toBeNull();
    watching.change({ key, value: null });
    expect([watching.size, watching.faultOf(token())]).toEqual([0, null]);
  });

  it('keeps what it denied itself through a snapshot that is older, until its end', async () => {
    await list.deny(PRINCIPAL);
    list.snapshot(new Map());
    expect(list.faultOf(token())).not.toBeNull();
    clock.advance(LONGEST_VALIDITY_MS);
    list.snapshot(new Map());
    expect(list.size).toBe(0);
  });

  it('follows a watch', async () => {
    const other = new DenialList(keys, clock);
    const stop = new AbortController();
    keys.watch('', other, stop.signal);
    await list.deny(PRINCIPAL);
    await until('the other node denies', () => other.faultOf(token()));
    for (const { lease } of keys.keys.values()) await keys.revoke(lease ?? '');
    await until('the record has ended', () => other.size === 0);
    stop.abort();
  });

  it('keeps a record under a lease for as long as such a token can be valid', async () => {
    const granted: number[] = [];
    const grant = keys.grant.bind(keys);
    keys.grant = (seconds) => grant((granted.push(seconds), seconds));
    await list.deny(PRINCIPAL);
    await list.deny({ kind: 'token', issuer: 'i', id: 'j' }, clock.now() + 60_000);
    await list.deny({ kind: 'token', issuer: 'i', id: 'old' }, clock.now() - 1e9);
    expect(granted).toEqual([LONGEST_VALIDITY_MS / 1000, 60 + 3600 + 300, 1]);
    expect([...keys.keys.values()].every(({ lease }) => lease !== null)).toBe(true);
  });

  it('tells tokens from before a denial from those after it, with clocks that differ', async () => {
    await list.deny(PRINCIPAL);
    expect(list.faultOf(token({ issuedAt: clock.now() + 4_999 }))).not.toBeNull();
    expect(list.faultOf(token({ issuedAt: clock.now() + 5_000 }))).toBeNull();
    expect(list.faultOf(token({ tenant: 'other' }))).toBeNull();
  });

  it('is not shortened by a late echo of an earlier denial', async () => {
    await list.deny(PRINCIPAL);
    const [[key, { value }] = ['', { value: '' }]] = [...keys.keys];
    clock.advance(60_000);
    await list.deny(PRINCIPAL);
    list.change({ key, value });
    expect(list.faultOf(token())).not.toBeNull();
  });

  it('does not take names apart that another pair of names would make', async () => {
    await list.deny({ kind: 'principal', tenant: 'a","b', principal: 'c' });
    expect(list.faultOf(token({ tenant: 'a', principal: 'b","c' }))).toBeNull();
    await list.deny({ kind: 'token', issuer: 'acme', id: 'lamp' });
    expect(list.faultOf(token({ issuer: 'x', id: 'y' }))).toBeNull();
  });

  it('is bounded: what has ended makes room, and else the caller is told what to do', async () => {
    const small = new DenialList(keys, clock, 2);
    const deny = (id: string) => small.deny({ kind: 'token', issuer: 'i', id }, clock.now());
    await deny('a');
    await deny('b');
    await deny('b');
    await expect(deny('c')).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('principals'),
    });
    clock.advance(3_900_000);
    await deny('c');
    expect(small.size).toBe(1);
  });

  it('is bounded for each client, on every node, and until its denials end', async () => {
    const small = () => new DenialList(keys, clock, 100, 2);
    const [one, two] = [small(), small()];
    const deny = (list: DenialList, id: string, by?: string) =>
      list.deny({ kind: 'token', issuer: 'i', id }, clock.now(), by);
    for (const id of ['a', 'b', 'b']) await deny(one, id, 'acme/lamp');
    await two.load();
    for (const list of [one, two])
      await expect(deny(list, 'c', 'acme/lamp')).rejects.toMatchObject({ code: 'tooManyDenials', status: 429 });
    expect(one.faultOf(token({ id: 'c' }))).toBeNull();
    await deny(one, 'c', 'acme/door');
    await deny(one, 'd');
    const [[key] = ['']] = [...keys.keys].filter(([, { value }]) => value.includes('"a"'));
    one.change({ key, value: null });
    await deny(one, 'e', 'acme/lamp');
    await expect(deny(one, 'f', 'acme/lamp')).rejects.toMatchObject({ code: 'tooManyDenials' });
  });

  it.each([
    ['{"format":2}', 'has format 2; this version reads 1 only'],
    ['{"format":1}', 'damaged'],
    ['{"format":1,"denied":{"kind":"tenant"},"before":1,"until":2}', 'damaged'],
  ])('refuses %s as a whole, and goes on with what it has', async (value, message) => {
    await list.deny(PRINCIPAL);
    await keys.commit({ guards: [], puts: [{ key: 'x', value }] });
    await expect(list.load()).rejects.toThrow(message);
    expect(list.faultOf(token())).not.toBeNull();
  });
});
