import { HealthRegistry } from './health-registry.js';

/** A registry whose time is set. */
function timed() {
  const time = { ms: 0 };
  return { time, health: new HealthRegistry({ now: () => time.ms, monotonic: () => time.ms }) };
}

const registry = (): HealthRegistry => new HealthRegistry({ now: () => 0, monotonic: () => 0 });

describe('HealthRegistry', () => {
  it('reports a part whose check throws as not well, and the others too', () => {
    const health = registry();
    health.register('broken', () => {
      throw new Error('no idea');
    });
    health.register('fine', () => ({ ok: true, reason: 'yes' }));
    const { ready, parts } = health.report();
    expect(ready).toBe(false);
    expect(parts['broken']).toMatchObject({ ok: false, reason: 'the check failed: no idea' });
    expect(parts['fine']).toMatchObject({ ok: true });
  });

  it('rejects the same name twice', () => {
    const health = registry();
    health.register('etcd', () => ({ ok: true, reason: '' }));
    expect(() => health.register('etcd', () => ({ ok: true, reason: '' }))).toThrow(/twice/);
  });

  it('counts how often a part fails that was ready, and when and why the last time', () => {
    const { time, health } = timed();
    let trouble: string | null = 'not asked yet';
    health.register('etcd', () => ({ ok: trouble === null, reason: trouble ?? 'answers' }));
    const at = (ms: number, next: string | null): unknown => {
      time.ms = ms;
      trouble = next;
      health.report();
      return health.failuresOf('etcd');
    };
    expect(at(500, 'still not asked')).toEqual({ count: 0, last: null });
    expect(at(1_000, null)).toEqual({ count: 0, last: null });
    const first = { at: '1970-01-01T00:00:02.000Z', reason: 'away' };
    expect(at(2_000, 'away')).toEqual({ count: 1, last: { ...first, seconds: null } });
    expect(at(3_000, 'still away')).toEqual({ count: 1, last: { ...first, seconds: null } });
    expect(at(4_500, null)).toEqual({ count: 1, last: { ...first, seconds: 2.5 } });
    expect(at(6_000, 'full')).toMatchObject({ count: 2, last: { reason: 'full', seconds: null } });
    expect(health.failuresOf('other')).toEqual({ count: 0, last: null });
  });
});
