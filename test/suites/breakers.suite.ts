import { Breakers } from '../../src/breakers/breakers.js';
import type { ClusterKeys } from '../../src/store/cluster-keys.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { SettableClock } from '../harness/clock.js';
import { until } from '../harness/until.js';
import type { ClusterKeysFixture } from './cluster-keys.suite.js';

/** A lease of a minute, so that a busy machine loses none; signs of life often, so that a lost one is noticed. */
export const QUICK = { leaseSeconds: 60, keepAliveMs: 200, pauseMs: 10, retry: { first: 20, longest: 200 } };

/** What nodes promise of breakers that they share, on every implementation of ClusterKeys. */
export function breakersSuite(name: string, open: () => Promise<ClusterKeysFixture>): void {
  describe(`breakers that nodes share: ${name}`, () => {
    let fixture: ClusterKeysFixture;
    let keys: ClusterKeys;
    let clock: SettableClock;
    let nodes: Breakers[];
    beforeEach(async () => {
      fixture = await open();
      keys = fixture.keys;
      clock = new SettableClock();
      nodes = [];
    });
    afterEach(async () => {
      await Promise.all(nodes.map((node) => node.close()));
      await fixture.close();
    });

    function start(node: string, times = QUICK): Breakers {
      const breakers = new Breakers({ keys, node, clock, logger: SILENT_LOGGER, times, random: () => 0.5 });
      breakers.start();
      nodes.push(breakers);
      return breakers;
    }
    const fail = (node: Breakers, times: number, dependency = 'd'): Promise<unknown> => {
      const call = (): Promise<never> => Promise.reject(new Error('no'));
      return Promise.allSettled(Array.from({ length: times }, () => node.of(dependency).run(call)));
    };
    const succeed = (node: Breakers): Promise<void> => node.of('d').run(() => Promise.resolve());
    const stateOf = (node: Breakers): string => node.of('d').state.state;
    const stored = async (node: string): Promise<string | null> => {
      const record = await keys.get(`breakers/d/${node}`);
      return record && (JSON.parse(record.value) as { state: string }).state;
    };
    const knows = (node: Breakers, peer: string): Promise<unknown> =>
      until(`${peer} is known to be open`, () => node.of('d').reason.includes(`open on ${peer}`));
    const knowsNone = (node: Breakers): Promise<unknown> =>
      until('no peer is known to be open', () => !node.of('d').reason.includes('open on'));

    it('writes a state under a lease when there is one to tell, and takes it back at its end', async () => {
      const a = start('a');
      await succeed(a);
      await fail(a, 4);
      const record = await until('the record', () => keys.get('breakers/d/a'));
      expect(JSON.parse(record.value)).toEqual({ state: 'open', failureCount: 4, openedAt: clock.now() });
      expect(record.lease).not.toBeNull();
      expect([...(await keys.list('breakers/')).keys()]).toEqual(['breakers/d/a']);
      await a.close();
      expect(await stored('a')).toBeNull();
      expect(stateOf(a)).toBe('open');
    });

    it('is opened by one failure while a peer is open, and never by the peer alone', async () => {
      const [a, b] = [start('a'), start('b')];
      await fail(a, 4);
      await knows(b, 'a');
      await succeed(b);
      expect(stateOf(b)).toBe('closed');
      await fail(b, 1);
      expect(stateOf(b)).toBe('open');
      await until('both are written', async () => (await stored('a')) === 'open' && (await stored('b')) === 'open');
      const late = start('c');
      await knows(late, 'a, b');
      await fail(late, 1);
      expect(stateOf(late)).toBe('open');
    });

    it('probes with the next call when a peer has closed, and not when it is gone', async () => {
      const [a, b, c] = [start('a'), start('b'), start('c')];
      await fail(a, 4);
      await fail(b, 4);
      await knows(a, 'b');
      await knows(b, 'a');
      await c.close();
      await a.close();
      await knowsNone(b);
      await expect(succeed(b)).rejects.toThrow('d is not asked for another 60 s: no');
      const d = start('d');
      await fail(d, 4);
      await knows(b, 'd');
      clock.advance(59_000);
      d.of('d').peerClosed();
      await succeed(d);
      await until('the news', () => b.of('d').reason.includes('open until the next call'));
      await succeed(b);
      expect(stateOf(b)).toBe('closed');
      await until('they are written', async () => (await stored('b')) === 'closed' && (await stored('d')) === 'closed');
    });

    it('takes what an earlier life of the node has left for the state of a peer, until it has one of its own', async () => {
      const lease = await keys.grant(60);
      const value = '{"state":"open","failureCount":9,"openedAt":1}';
      await keys.commit({ guards: [], puts: [{ key: 'breakers/d/a', value, lease }] });
      const a = start('a');
      await knows(a, 'a');
      expect(stateOf(a)).toBe('closed');
      await fail(a, 1);
      expect(stateOf(a)).toBe('open');
      await until('its own record', async () => (await keys.get('breakers/d/a'))?.value.includes('"failureCount":1'));
      expect(a.of('d').reason).not.toContain('open on');
      await keys.revoke(lease);
      expect(await stored('a')).toBe('open');
    });

    it('writes its states anew when the lease has ended', async () => {
      const a = start('a');
      await fail(a, 4);
      const { lease } = await until('the record', () => keys.get('breakers/d/a'));
      await keys.revoke(lease!);
      const anew = await until('the record under another lease', () => keys.get('breakers/d/a'));
      expect(anew.lease).not.toBe(lease);
      expect(await stored('a')).toBe('open');
    });

    it('puts right what a late write of its own has left', async () => {
      // It knows its keys for as long as a sign of life takes after all is closed.
      const a = start('a', { ...QUICK, keepAliveMs: 60_000 });
      await fail(a, 4);
      await until('the record', () => keys.get('breakers/d/a'));
      clock.advance(60_000);
      await succeed(a);
      await until('it is closed', async () => (await stored('a')) === 'closed');
      const lease = (await keys.get('breakers/d/a'))?.lease;
      const value = '{"state":"open","failureCount":4,"openedAt":1}';
      await keys.commit({ guards: [], puts: [{ key: 'breakers/d/a', value, lease: lease! }] });
      await until('it is closed again', async () => (await stored('a')) === 'closed');
    });

    it('forgets a dependency that is dropped', async () => {
      const [a, b] = [start('a'), start('b')];
      await fail(a, 4);
      await knows(b, 'a');
      a.drop('d');
      await knowsNone(b);
      expect(await stored('a')).toBeNull();
      expect(stateOf(a)).toBe('closed');
    });

    it('writes the states of many dependencies in few commits', async () => {
      const a = start('a');
      const names = Array.from({ length: 250 }, (_, i) => `many-${i}`);
      await Promise.all(names.map((each) => fail(a, 4, each)));
      await until('all of them', async () => (await keys.list('breakers/many-')).size === names.length);
    });

    it('keeps records out that cannot be read', async () => {
      const a = start('a');
      const puts = ['x', '{}', '{"state":"open"'].map((value, i) => ({ key: `breakers/d/peer-${i}`, value }));
      await keys.commit({ guards: [], puts: [...puts, { key: 'breakers/no-node', value: 'x' }] });
      await keys.commit({ guards: [], puts: [{ key: 'breakers/d/z', value: '{"state":"open"}' }] });
      await knows(a, 'z');
      expect(a.of('d').reason).toBe('closed; open on z');
    });
  });
}
