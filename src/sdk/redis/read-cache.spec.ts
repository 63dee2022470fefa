import fc from 'fast-check';
import { deltaState } from '../../document/delta.js';
import type { JsonObject } from '../../document/shadow-document.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { ShadowState } from '../shadow/state.js';
import { differences } from './differences.js';
import { readCache, type ReadCacheOptions } from './read-cache.js';

const document = (version: number): string =>
  JSON.stringify({ state: { desired: { a: 1, b: 2 }, reported: { a: 1 } }, metadata: {}, version });
const stateOfNode = (version: number): ShadowState => ({ version, thing: 'lamp' }) as ShadowState;

/** A cache over hashes by their keys; an Error stands for a Redis that fails. */
function caching(more: Partial<ReadCacheOptions> = {}) {
  const clock = new ManualClock();
  const hashes = new Map<string, (string | null)[]>();
  const node: { state: ShadowState | null } = { state: null };
  const reasons: string[] = [];
  const redis = { isAway: false, isSilent: false, calls: 0 };
  const cache = readCache({
    ...{ clock, prefix: 'doc:', tenant: 'acme' },
    redis: {
      call(command, [key = '', ...fields]) {
        redis.calls += 1;
        expect([command, fields]).toEqual(['HMGET', ['revision', 'version', 'document']]);
        if (redis.isAway) throw new Error('Connection is closed.');
        return redis.isSilent ? new Promise(() => undefined) : Promise.resolve(hashes.get(key) ?? [null, null, null]);
      },
    },
    fallback: () => Promise.resolve(node.state),
    onFallback: (reason) => void reasons.push(reason),
    ...more,
  });
  return { cache, clock, hashes, node, reasons, redis };
}

const LAMP = 'doc:acme/lamp/';

describe('the read cache', () => {
  it('answers from Redis, with the delta, and knows what was deleted', async () => {
    const { cache, hashes, reasons } = caching();
    hashes.set(LAMP, ['7', '3', document(3)]);
    hashes.set(`${LAMP}net`, ['8', '4', null]);
    const found = await cache.get('lamp');
    expect(found).toMatchObject({ thing: 'lamp', shadow: null, version: 3, revision: 7, delta: { b: 2 } });
    expect([await cache.get('lamp', 'net'), reasons]).toEqual([null, []]);
  });

  it('asks the node for what is absent, older than asked for, or no document', async () => {
    const { cache, hashes, node, reasons } = caching();
    node.state = stateOfNode(1);
    expect(await cache.get('other')).toBe(node.state);
    hashes.set(LAMP, ['7', '3', document(3)]);
    hashes.set(`${LAMP}net`, ['7', '3', '{"state":1}']);
    await cache.get('lamp', null, { minRevision: 8 });
    await cache.get('lamp', 'net');
    expect(reasons).toEqual(['absent', 'older', 'unreadable']);
  });

  it('never goes back behind what the node has shown', async () => {
    const { cache, hashes, node, reasons } = caching();
    hashes.set(LAMP, ['7', '3', document(3)]);
    node.state = stateOfNode(4);
    await cache.get('lamp', null, { minRevision: 8 });
    expect(await cache.get('lamp')).toBe(node.state);
    hashes.set(LAMP, ['8', '4', document(4)]);
    expect(await cache.get('lamp')).toMatchObject({ revision: 8 });
    node.state = null;
    await cache.get('lamp', null, { minRevision: 9 });
    // The document may be the deleted one.
    expect([await cache.get('lamp'), reasons]).toEqual([null, ['older', 'older', 'older', 'older']]);
    hashes.set(LAMP, ['9', '4', null]);
    expect([await cache.get('lamp'), reasons.length]).toEqual([null, 4]);
  });

  it('asks the node once for each maxAgeMs whether the document is still the present one', async () => {
    const { cache, clock, hashes, node, reasons } = caching();
    hashes.set(LAMP, ['7', '3', document(3)]);
    node.state = stateOfNode(3);
    const read = (): Promise<ShadowState | null> => cache.get('lamp', null, { maxAgeMs: 1_000 });
    await read();
    await clock.advance(900);
    await read();
    expect(reasons).toEqual(['unconfirmed']);
    await clock.advance(200);
    await read();
    expect(reasons).toEqual(['unconfirmed', 'unconfirmed']);
  });

  it('leaves Redis alone for a time when it fails or is slow', async () => {
    const { cache, clock, hashes, node, reasons, redis } = caching({ answerMs: 100, pauseMs: 1_000 });
    node.state = stateOfNode(3);
    hashes.set(LAMP, ['7', '3', document(3)]);
    redis.isSilent = true;
    const waiting = cache.get('lamp');
    await clock.advance(100);
    await waiting;
    await cache.get('lamp');
    expect([reasons, redis.calls]).toEqual([['unreachable', 'unreachable'], 1]);
    redis.isSilent = false;
    redis.isAway = true;
    await clock.advance(1_000);
    await cache.get('lamp');
    redis.isAway = false;
    await clock.advance(1_000);
    expect(await cache.get('lamp')).toMatchObject({ version: 3 });
    expect([reasons.length, redis.calls, clock.timers]).toEqual([3, 3, 0]);
  });

  it('ends with the signal, and remembers so many shadows', async () => {
    const { cache, hashes, reasons, redis } = caching({ maxKnown: 1 });
    const control = new AbortController();
    redis.isSilent = true;
    const waiting = cache.get('lamp', null, { signal: control.signal });
    control.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    redis.isSilent = false;
    await cache.get('lamp');
    await cache.get('other');
    hashes.set(LAMP, ['7', '3', document(3)]);
    expect([(await cache.get('lamp'))?.version, reasons]).toEqual([3, ['absent', 'absent']]);
  });

  it('refuses wrong options', () => {
    expect(() => caching({ answerMs: 0 })).toThrow('answerMs has to be a positive integer');
    expect(() => caching({ fallback: null as never })).toThrow('fallback has to be a function');
  });

  it('computes the delta as the service does', () => {
    const value = fc.letrec((tie) => ({
      object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('any'), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
      any: fc.oneof(
        { maxDepth: 3 },
        fc.integer({ max: 2, min: 0 }),
        fc.array(tie('any'), { maxLength: 2 }),
        tie('object'),
      ),
    })).object as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(value, value, (desired, reported) => {
        const delta = differences(desired, reported);
        return JSON.stringify(delta) === JSON.stringify(deltaState({ desired, reported }));
      }),
    );
  });
});
