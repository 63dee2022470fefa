import type { OpenSink, SinkParts } from '../../src/sinks/sink-kind.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { MemoryClusterKeys } from '../harness/memory-cluster-keys.js';
import { presenceUpdate } from '../harness/presence-record.js';
import { until } from '../harness/until.js';

/** One change as the other side has it. */
export interface Taken {
  readonly thing: string;
  readonly shadow: string | null;
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  /** By which the other side knows duplicates. */
  readonly id: string;
}

/** A real server that a kind of sinks sends to. */
export interface SinkServer {
  open(parts: SinkParts): OpenSink;
  /** Everything that it has, in its order. */
  taken(): Promise<readonly Taken[]>;
  kill9(): Promise<void>;
  /** After kill9(): with what it had confirmed. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A reading of the feed that does not end. */
export const READING = new AbortController().signal;

/** What a sink may use in a test. */
export const sinkParts = (tenant = 'acme'): SinkParts => ({
  ...{ tenant, sink: 'events', id: 'a'.repeat(16), keys: new MemoryClusterKeys(), clock: SYSTEM_CLOCK },
  ...{ logger: SILENT_LOGGER, isOwner: () => true, pause: () => undefined },
});

/** A change as the feed has it: the revision is also its version. */
export function changeOf(revision: number, thing: string, name: string | null = null, deleted = false): ShadowRecord {
  const at = 1_700_000_000_000;
  const state = deleted
    ? { deleted: true as const, version: revision, deletedAt: at / 1000 }
    : { version: revision, reported: { n: revision }, metadata: {} };
  return {
    key: { tenant: 'acme', thing, name },
    state,
    change: deleted
      ? { kind: 'delete', principal: 'p', at }
      : { kind: 'update', patch: { reported: { n: revision } }, principal: 'p', at },
    position: { cluster: 'c', epoch: 0, revision },
  };
}

/** The order in which the changes of a shadow were first taken. */
function firsts(taken: readonly Taken[], thing: string): number[] {
  return [...new Set(taken.filter((each) => each.thing === thing).map(({ revision }) => revision))];
}

/** What every kind of sinks promises, against its real server. */
export function sinkSuite(kind: string, startServer: () => Promise<SinkServer>): void {
  describe(`a sink of the kind ${kind}`, () => {
    let server: SinkServer;
    let sink: OpenSink;
    beforeAll(async () => {
      server = await startServer();
      sink = server.open(sinkParts());
    });
    afterAll(async () => {
      await sink.close();
      await server.stop();
    });

    it('has what it says is safe: updates, deletes, classic and named shadows', async () => {
      await Promise.all([
        sink.deliver(changeOf(1, 'lamp'), READING),
        sink.deliver(changeOf(2, 'lamp', 'settings'), READING),
        sink.deliver(changeOf(3, 'lamp', null, true), READING),
      ]);
      const taken = await server.taken();
      expect(taken.filter(({ shadow }) => shadow === null)).toMatchObject([
        { thing: 'lamp', kind: 'updated', version: 1, revision: 1 },
        { thing: 'lamp', kind: 'deleted', version: 3, revision: 3 },
      ]);
      expect(taken).toContainEqual(expect.objectContaining({ shadow: 'settings', revision: 2 }));
      expect(sink.health).toMatchObject({ ok: true });
    });

    it('has presence, which is of no shadow', async () => {
      await sink.deliver(presenceUpdate('door', 's', { cluster: 'c', epoch: 0, revision: 4 }), READING);
      const told = (await server.taken()).filter(({ thing }) => thing === 'door');
      expect(told).toMatchObject([{ kind: 'presence', revision: 4, id: expect.stringContaining('4') }]);
    });

    it('loses nothing when the server is killed under load, and keeps the order of each shadow', async () => {
      const things = Array.from({ length: 20 }, (_, i) => `load-${i}`);
      let confirmed = 0;
      const sent: Promise<void>[] = [];
      const give = (from: number, to: number): void => {
        for (let n = from; n < to; n++)
          for (const thing of things) sent.push(sink.deliver(changeOf(n, thing), READING).then(() => void confirmed++));
      };
      give(100, 130);
      await until('some are confirmed', () => confirmed > 100);
      await server.kill9();
      give(130, 150);
      await until('it says that it is cut off', () => !sink.health.ok);
      const before = confirmed;
      await server.start();
      await Promise.all(sent);
      expect(confirmed).toBeGreaterThan(before);
      const taken = await server.taken();
      const all = Array.from({ length: 50 }, (_, i) => 100 + i);
      for (const thing of things) expect([thing, firsts(taken, thing)]).toEqual([thing, all]);
      // What comes twice is known by its id.
      const ids = new Set(taken.map(({ id }) => id));
      const changes = new Set(taken.map(({ thing, shadow, revision }) => `${thing} ${shadow} ${revision}`));
      expect(ids.size).toBe(changes.size);
      await until('it is well again', () => sink.health.ok);
    });

    const ways = ['deliver', 'converge'] as const;
    it.each(ways)('%s: sends nothing for a node whose lease is over, although only the clock says so', async (way) => {
      const thing = `woken-${way}`;
      const reading = new AbortController();
      let isOwner = true;
      let isAsked = false;
      const ask = (): boolean => {
        isAsked = true;
        if (!isOwner) reading.abort();
        return isOwner;
      };
      const woken = server.open({ ...sinkParts(), isOwner: ask });
      await woken.deliver(changeOf(160, thing), reading.signal);
      [isOwner, isAsked] = [false, false];
      void woken[way](changeOf(161, thing), reading.signal);
      await until('it asks', () => isAsked);
      isOwner = true;
      await woken.deliver(changeOf(162, thing), READING);
      expect(firsts(await server.taken(), thing)).toEqual([160, 162]);
      await woken.close();
    });

    it('calls nothing safe that it has not sent when it is closed', async () => {
      await server.kill9();
      const other = server.open(sinkParts());
      let safe = 0;
      void other.deliver(changeOf(200, 'late'), READING).then(() => safe++);
      await until('it is cut off', () => !other.health.ok);
      await other.close();
      await server.start();
      await sink.deliver(changeOf(201, 'late'), READING);
      expect(safe).toBe(0);
      expect(firsts(await server.taken(), 'late')).toEqual([201]);
    });
  });
}
