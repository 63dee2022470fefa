import { AccessDirectory, type AccessChange } from '../../src/directory/access-directory.js';
import { ACCESS_PATH, type RecordTypes } from '../../src/directory/access-records.js';
import { AccessWriter, type RecordChange } from '../../src/directory/access-writer.js';
import { DENY_ALL, withVersion } from '../../src/directory/records/policy-record.js';
import { encodeRecord } from '../../src/directory/records/record-kind.js';
import { PRINCIPAL } from '../../src/directory/records/principal-record.js';
import type { ClusterKeys } from '../../src/store/cluster-keys.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { until } from '../harness/until.js';

export interface DirectoryFixture {
  /** The view of each instance on the same keys. */
  readonly instances: readonly ClusterKeys[];
  close(): Promise<void>;
}

/** One instance of the service, as far as access goes. */
export class AccessInstance {
  readonly directory: AccessDirectory;
  readonly writer: AccessWriter;
  /** What it was told, in its order. */
  readonly changes: AccessChange[] = [];

  constructor(keys: ClusterKeys) {
    const below = keys.under(ACCESS_PATH);
    this.directory = new AccessDirectory(below, SILENT_LOGGER);
    this.writer = new AccessWriter(below, this.directory);
    this.directory.onChange((change) => this.changes.push(change));
    this.directory.start();
  }
}

export const aTenant = (changes: Partial<RecordTypes['tenant']> = {}): RecordTypes['tenant'] => ({
  title: 'A tenant',
  isDisabled: false,
  account: null,
  policies: [],
  limits: new Map(),
  createdAtMs: 1,
  ...changes,
});

export const aPrincipal = (changes: Partial<RecordTypes['principal']> = {}): RecordTypes['principal'] => ({
  kind: 'device',
  isDisabled: false,
  thing: null,
  thingType: null,
  attributes: new Map(),
  roles: ['device'],
  policies: [],
  groups: [],
  passwordHash: null,
  createdAtMs: 1,
  ...changes,
});

export const aKey = (principal: string, changes: Partial<RecordTypes['key']> = {}): RecordTypes['key'] => ({
  tenant: 't1',
  principal,
  proof: { kind: 'secret', digest: 'd'.repeat(43) },
  isDisabled: false,
  createdAtMs: 1,
  expiresAtMs: null,
  title: '',
  ...changes,
});

const aPolicy = (document: string) => withVersion(null, { document, createdAtMs: 1, createdBy: 'admin' });
const aGroup = (policies: readonly string[]): RecordTypes['group'] => ({ title: '', policies, createdAtMs: 1 });

/** What every storage must give a directory of access. */
export function accessDirectorySuite(name: string, open: (instances: number) => Promise<DirectoryFixture>): void {
  describe(`the directory of access over ${name}`, () => {
    let fixture: DirectoryFixture;
    let all: AccessInstance[];
    let one: AccessInstance;
    beforeEach(async () => {
      fixture = await open(3);
      all = fixture.instances.map((keys) => new AccessInstance(keys));
      one = all[0]!;
      await Promise.all(all.map(({ directory }) => directory.ready));
    });
    afterEach(async () => {
      for (const { directory } of all) directory.close();
      await fixture.close();
    });

    const everywhere = (what: string, holds: (instance: AccessInstance) => boolean) =>
      until(what, () => all.every(holds));
    const refused = (detail: string | RegExp) => ({
      code: 'preconditionFailed',
      message:
        typeof detail === 'string'
          ? `A condition of the request does not hold: ${detail}`
          : expect.stringMatching(detail),
    });

    it('has nobody before it has records, and is ready with none', async () => {
      const late = new AccessDirectory(fixture.instances[0]!.under(ACCESS_PATH), SILENT_LOGGER);
      expect(late.isReady).toBe(false);
      expect(late.get('principal', 't1', 'lamp')).toBeNull();
      expect(late.health).toEqual({
        ok: false,
        reason: expect.stringContaining('nobody may do anything: not started'),
      });
      late.start();
      await late.ready;
      expect(late.isReady).toBe(true);
      expect(late.count('principal')).toBe(0);
      await until('health', () => late.health.ok);
      late.close();
    });

    it('shows a change to its own instance at once, and to all', async () => {
      const revision = await one.writer.create('principal', ['t1', 'lamp'], aPrincipal({ thing: 'lamp' }));
      expect(one.directory.get('principal', 't1', 'lamp')).toEqual({
        names: ['t1', 'lamp'],
        record: aPrincipal({ thing: 'lamp' }),
        revision,
        fault: null,
      });
      await everywhere('the principal', ({ directory }) => directory.get('principal', 't1', 'lamp') !== null);
      const disabled = await one.writer.update('principal', ['t1', 'lamp'], aPrincipal({ isDisabled: true }), revision);
      expect(one.directory.get('principal', 't1', 'lamp')?.record.isDisabled).toBe(true);
      await everywhere(
        'it disabled',
        ({ directory }) => directory.get('principal', 't1', 'lamp')?.revision === disabled,
      );
      await one.writer.delete('principal', ['t1', 'lamp'], disabled);
      expect(one.directory.get('principal', 't1', 'lamp')).toBeNull();
      await everywhere('it gone', ({ directory }) => directory.get('principal', 't1', 'lamp') === null);
    });

    it('holds every kind, each tenant for itself', async () => {
      const hash = 'a'.repeat(64);
      const revoked = { tenant: 't1', reason: 'lost', revokedAtMs: 1, revokedBy: 'admin' };
      const pem = { pem: 'PEM', nameFrom: 'commonName', isDisabled: false, registersAtFirstSight: true } as const;
      const authority = { tenant: 't1', ...pem, policies: [], registeredAtMs: 1 };
      const routes = { listeners: new Map([['*', { allow: null, deny: ['GET /v1/things/**'] }]]) };
      const changes: RecordChange[] = [
        { kind: 'tenant', names: ['t1'], record: aTenant(), expected: null },
        { kind: 'principal', names: ['t1', 'lamp'], record: aPrincipal(), expected: null },
        { kind: 'principal', names: ['t2', 'lamp'], record: aPrincipal({ isDisabled: true }), expected: null },
        { kind: 'key', names: ['k1'], record: aKey('lamp'), expected: null },
        { kind: 'key', names: ['k2'], record: aKey('lamp', { tenant: 't2' }), expected: null },
        { kind: 'policy', names: ['t1', 'p'], record: aPolicy('{}'), expected: null },
        { kind: 'group', names: ['t1', 'g'], record: aGroup(['p']), expected: null },
        { kind: 'authority', names: ['t1', hash], record: authority, expected: null },
        {
          kind: 'revocation',
          names: ['t1', 'thing', 'lamp'],
          record: { ...revoked, kind: 'thing', thing: 'lamp' },
          expected: null,
        },
        { kind: 'routeLists', names: [], record: routes, expected: null },
        { kind: 'tokenPolicy', names: [], record: { yaml: 'ttl: 1h' }, expected: null },
      ];
      const revision = await one.writer.commit(changes);
      await everywhere('the last', ({ directory }) => directory.revision >= revision);
      for (const { directory, changes: told } of all) {
        for (const { kind, names, record } of changes) {
          expect(directory.get(kind, names[0], names[1], names[2])).toEqual({ names, record, revision, fault: null });
        }
        expect(told.slice(-changes.length)).toEqual(
          expect.arrayContaining(changes.map(({ kind, names }) => ({ kind, names }))),
        );
        expect([...directory.list('principal', 't1')].map(({ names }) => names)).toEqual([['t1', 'lamp']]);
        expect([...directory.list('principal')]).toHaveLength(2);
        expect(directory.count('key')).toBe(2);
        expect([...directory.keysOf('t1', 'lamp')]).toEqual(['k1']);
        expect([...directory.keysOf('t2', 'lamp')]).toEqual(['k2']);
        expect(directory.get('revocation', 't2', 'thing', 'lamp')).toBeNull();
        expect(directory.get('principal', 't1', 'thing/lamp')).toBeNull();
      }
    });

    it('knows the keys of a principal as they come, change hands and go', async () => {
      const revision = await one.writer.create('key', ['k1'], aKey('a'));
      await one.writer.create('key', ['k2'], aKey('a'));
      expect([...one.directory.keysOf('t1', 'a')].sort()).toEqual(['k1', 'k2']);
      const moved = await one.writer.update('key', ['k1'], aKey('b'), revision);
      expect([[...one.directory.keysOf('t1', 'a')], [...one.directory.keysOf('t1', 'b')]]).toEqual([['k2'], ['k1']]);
      await one.writer.delete('key', ['k1'], moved);
      expect([...one.directory.keysOf('t1', 'b')]).toEqual([]);
    });

    it('writes over nothing that the caller has not seen', async () => {
      const names = ['t1', 'ops'];
      const first = await one.writer.create('group', names, aGroup([]));
      await expect(one.writer.create('group', names, aGroup([]))).rejects.toMatchObject(
        refused('groups/t1/ops exists already'),
      );
      const second = await one.writer.update('group', names, aGroup(['a']), first);
      const stale = /^A condition of the request does not hold: groups\/t1\/ops has been changed since; read it again/;
      await expect(one.writer.update('group', names, aGroup(['b']), first)).rejects.toMatchObject(refused(stale));
      await expect(one.writer.delete('group', names, first)).rejects.toMatchObject(refused(stale));
      expect(one.directory.get('group', 't1', 'ops')).toMatchObject({ revision: second, record: { policies: ['a'] } });
      await one.writer.delete('group', names, second);
      const gone = refused('groups/t1/ops does not exist, or no longer');
      await expect(one.writer.update('group', names, aGroup([]), second)).rejects.toMatchObject(gone);
      await expect(one.writer.delete('group', names, second)).rejects.toMatchObject(gone);
    });

    it('lets one of several instances win a race, and tells the others', async () => {
      const revision = await one.writer.create('policy', ['t1', 'p'], aPolicy('first'));
      const results = await Promise.allSettled(
        all.map(({ writer }, i) => writer.update('policy', ['t1', 'p'], aPolicy(`of ${i}`), revision)),
      );
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
      const winner = results.findIndex(({ status }) => status === 'fulfilled');
      await everywhere(
        'the winner',
        ({ directory }) => (directory.get('policy', 't1', 'p')?.record.versions[0]?.document ?? '') === `of ${winner}`,
      );
    });

    it('changes all records of a commit, or none', async () => {
      const revision = await one.writer.create('principal', ['t1', 'a'], aPrincipal());
      const commit = (expected: number) =>
        one.writer.commit([
          { kind: 'principal', names: ['t1', 'a'], record: null, expected },
          { kind: 'key', names: ['k'], record: aKey('a'), expected: null },
        ]);
      await expect(commit(revision - 1)).rejects.toMatchObject({ code: 'preconditionFailed' });
      expect([one.directory.count('principal'), one.directory.count('key')]).toEqual([1, 0]);
      await commit(revision);
      expect([one.directory.count('principal'), one.directory.count('key')]).toEqual([0, 1]);
    });

    it('takes a record that ends with its lease', async () => {
      const lease = await fixture.instances[0]!.grant(600);
      await one.writer.commit([{ kind: 'key', names: ['k'], record: aKey('a'), expected: null, lease }]);
      await everywhere('the key', ({ directory }) => directory.count('key') === 1);
      await fixture.instances[0]!.revoke(lease);
      await everywhere('its end', ({ directory }) => directory.count('key') === 0);
    });

    it('refuses what it could not read, before it is written', async () => {
      const { writer, directory } = one;
      const invalid = { code: 'invalidRequest' };
      await expect(writer.create('principal', ['t1', 'a/b'], aPrincipal())).rejects.toMatchObject({
        ...invalid,
        message:
          'Name 2 of the principal must be 1 to 128 characters of a-z, A-Z, 0-9 and :_.@+=,|-, perhaps after the name of an issuer and ~',
      });
      await expect(writer.create('principal', ['t1', 'a'], aPrincipal({ policies: [DENY_ALL] }))).rejects.toMatchObject(
        invalid,
      );
      const large = aPrincipal({
        attributes: new Map(Array.from({ length: 50 }, (_, i) => [`a${i}`, '\u0000'.repeat(800)])),
      });
      await expect(writer.create('principal', ['t1', 'a'], large)).rejects.toMatchObject({
        ...invalid,
        message: expect.stringMatching(/^principals\/t1\/a has \d+ bytes; at most 65536 are allowed$/),
      });
      await expect(writer.commit([])).rejects.toMatchObject(invalid);
      const many = Array.from({ length: 51 }, (_, i): RecordChange => {
        return { kind: 'principal', names: ['t1', `p${i}`], record: aPrincipal(), expected: null };
      });
      await expect(writer.commit(many)).rejects.toMatchObject(invalid);
      expect(directory.count('principal')).toBe(0);
    });

    it('keeps a record that cannot be read from allowing anything, and says which', async () => {
      const access = fixture.instances[0]!.under(ACCESS_PATH);
      const put = (key: string, value: string) => access.commit({ guards: [], puts: [{ key, value }] });
      const revision = await one.writer.create('tenant', ['t1'], aTenant());
      await put('tenants/t1', '{"format":2,"title":"of a newer version"}');
      await put('revocations/t1/thing/lamp', '');
      await put('doors/t1', '{}');
      await everywhere('the faults', ({ directory }) => directory.health.warnings?.length === 3);
      for (const { directory } of all) {
        expect(directory.get('tenant', 't1')).toMatchObject({
          record: { isDisabled: true },
          fault: expect.any(String),
        });
        expect(directory.get('tenant', 't1')?.revision).toBeGreaterThan(revision);
        expect(directory.get('revocation', 't1', 'thing', 'lamp')?.record).toMatchObject({
          kind: 'thing',
          thing: 'lamp',
        });
        expect(directory.health.warnings).toEqual([
          'tenants/t1 has format 2; this version reads format 1 only',
          'revocations/t1/thing/lamp is not JSON',
          '"doors/t1" is no record that this version knows',
        ]);
      }
      const late = new AccessDirectory(access, SILENT_LOGGER);
      late.start();
      await late.ready;
      expect(late.health.warnings).toHaveLength(3);
      expect(late.get('tenant', 't1')?.record.isDisabled).toBe(true);
      late.close();
      await access.commit({ guards: [], deletes: ['doors/t1', 'revocations/t1/thing/lamp'] });
      const { revision: damaged } = one.directory.get('tenant', 't1')!;
      await one.writer.update('tenant', ['t1'], aTenant(), damaged);
      await everywhere('no faults', ({ directory }) => directory.health.warnings === undefined);
      expect(one.directory.get('tenant', 't1')?.record.isDisabled).toBe(false);
    });

    it('counts generations, and tells listeners until they leave, also when one of them fails', async () => {
      const told: AccessChange[] = [];
      const leave = one.directory.onChange((change) => told.push(change));
      one.directory.onChange(() => {
        throw new Error('a part that fails');
      });
      const { generation } = one.directory;
      await one.writer.create('tenant', ['t1'], aTenant());
      expect(told).toEqual([{ kind: 'tenant', names: ['t1'] }]);
      expect(one.directory.generation).toBe(generation + 1);
      leave();
      await one.writer.create('tenant', ['t2'], aTenant());
      expect(told).toHaveLength(1);
      expect(one.directory.generation).toBe(generation + 2);
      expect(one.directory.isReady && one.directory.health.ok).toBe(true);
    });

    it('loads 10,000 principals in one go, and what changes meanwhile, without holding the node up', async () => {
      const access = fixture.instances[0]!.under(ACCESS_PATH);
      await putPrincipals(access, 10_000);
      await everywhere('the last principal', ({ directory }) => directory.count('principal') === 10_000);
      const keys = fixture.instances[1]!.under(ACCESS_PATH);
      const late = new AccessDirectory(keys, SILENT_LOGGER);
      const told: AccessChange[] = [];
      late.onChange((change) => told.push(change));
      const turns = { count: 0, longestMs: 0, at: 0 };
      const snapshot = late.snapshot.bind(late);
      let begun = 0;
      let during: unknown[] = [];
      late.snapshot = (all, revision) => {
        begun = performance.now();
        snapshot(all, revision);
        // As the watch would tell while the snapshot is being read.
        const stored = all.get('principals/t7/p9907')!;
        late.change({
          key: 'principals/t7/p9907',
          value: stored.value.replace('"p9907"', '"moved"'),
          revision: revision + 1,
        });
        late.change({ key: 'principals/t8/p9908', value: null, revision: revision + 2 });
        during = [late.isReady, late.count('principal'), late.staleMs];
        turns.at = performance.now();
      };
      late.start();
      while (!late.isReady) {
        await new Promise((resolve) => setImmediate(resolve));
        if (begun === 0) continue;
        turns.count++;
        turns.longestMs = Math.max(turns.longestMs, performance.now() - turns.at);
        turns.at = performance.now();
      }
      const ms = performance.now() - begun;
      expect(during).toEqual([false, 0, null]);
      expect(told).toEqual(['all']);
      expect(late.count('principal')).toBe(9_999);
      expect(late.get('principal', 't6', 'p9906')?.record).toEqual(aPrincipal({ thing: 'p9906' }));
      expect(late.get('principal', 't7', 'p9907')?.record).toEqual(aPrincipal({ thing: 'moved' }));
      expect(late.get('principal', 't8', 'p9908')).toBeNull();
      expect(turns.count).toBeGreaterThan(3);
      // Figures for the record, not promises.
      const figures = `${ms.toFixed(0)} ms, ${turns.longestMs.toFixed(0)} ms at most without a turn of the event loop`;
      process.stdout.write(`${name}: 10,000 principals were loaded in ${figures}\n`);
      late.close();
    });
  });
}

/** Principal `p{i}` of tenant `t{i % 100}`, written in large commits. */
export async function putPrincipals(access: ClusterKeys, count: number): Promise<void> {
  for (let from = 0; from < count; from += 100) {
    const puts = Array.from({ length: 100 }, (_, n) => {
      const names = [`t${(from + n) % 100}`, `p${from + n}`];
      const value = encodeRecord(PRINCIPAL, names, aPrincipal({ thing: `p${from + n}` }));
      return { key: `principals/${names.join('/')}`, value };
    });
    await access.commit({ guards: [], puts });
  }
}
