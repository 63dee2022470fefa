import { HealthRegistry } from './health-registry.js';

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
});
