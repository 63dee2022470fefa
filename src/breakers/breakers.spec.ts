import { SettableClock } from '../../test/harness/clock.js';
import { MemoryClusterKeys } from '../../test/harness/memory-cluster-keys.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import type { Breaker } from './breaker.js';
import { Breakers, MAX_SHARED } from './breakers.js';

const fail = (): Promise<never> => Promise.reject(new Error('no'));

describe('the breakers of a node', () => {
  const make = (): Breakers =>
    new Breakers({
      ...{ keys: new MemoryClusterKeys(), node: 'a' },
      clock: new SettableClock(),
      logger: SILENT_LOGGER,
    });

  it('are one for each dependency', () => {
    const breakers = make();
    expect(breakers.of('a')).toBe(breakers.of('a'));
    expect(breakers.of('a')).not.toBe(breakers.of('b'));
  });

  it.each(['', 'a/b', 'a b', '..', '-a', 'a\n', 'ä', 'a'.repeat(257)])('have no dependency %j', (name) => {
    expect(() => make().of(name)).toThrow(RangeError);
  });

  it('takes names of issuers and webhooks', () => {
    for (const name of ['issuer:acme:google', 'webhook:acme:a_b.c@d+e=f,g|h-1', 'a'.repeat(256)]) make().of(name);
  });

  it('are bounded: the one that was not asked for longest and is closed makes room', async () => {
    const breakers = make();
    const open = async (breaker: Breaker): Promise<void> => {
      for (let i = 0; i < 4; i++) await breaker.run(fail).catch(() => undefined);
    };
    for (let i = 0; i < MAX_SHARED; i++) breakers.of(`d${i}`);
    await open(breakers.of('d1'));
    const [kept, d2] = [breakers.of('d0'), breakers.of('d2')];
    for (let i = 0; i < MAX_SHARED - 3; i++) breakers.of(`more-${i}`);
    expect(breakers.health.reason).toBe(`1 of ${MAX_SHARED} dependencies fail`);
    expect(breakers.of('d0')).toBe(kept);
    for (let i = 0; i < MAX_SHARED; i++) await open(breakers.of(`failing-${i}`));
    expect(breakers.health.reason).toBe(`${MAX_SHARED} of ${MAX_SHARED} dependencies fail`);
    expect(breakers.of('d2')).not.toBe(d2);
    const [one, again] = [breakers.of('one-more'), breakers.of('one-more')];
    expect(one).not.toBe(again);
    await open(one);
    await expect(one.run(fail)).rejects.toThrow('is not asked for another');
  });

  it('show those first that fail, and do not make the node unready', async () => {
    const breakers = make();
    expect(breakers.health).toEqual({ ok: true, reason: 'no dependencies' });
    for (let i = 0; i < 60; i++) breakers.of(`d${i}`);
    for (let i = 0; i < 4; i++)
      await breakers
        .of('d59')
        .run(fail)
        .catch(() => undefined);
    const { ok, reason, members = [] } = breakers.health;
    expect([ok, reason, members.length]).toEqual([true, '1 of 60 dependencies fail', 50]);
    expect(members.slice(0, 2)).toEqual([
      {
        ...{ member: 'd59', ok: false },
        reason: expect.stringMatching(/^open for another \d+ s, 4 failures in a row, the last: no$/) as string,
      },
      { member: 'd0', ok: true, reason: 'closed' },
    ]);
  });
});
