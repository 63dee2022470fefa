import { accountsOf, attachmentsOf } from '../../src/directory/access-attachments.js';
import { CaRegistry } from '../../src/auth/certificates/ca-registry.js';
import { isRevoked, Revocations, type RevocationLookup } from '../../src/auth/certificates/revocations.js';
import { currentDocument, withVersion } from '../../src/directory/records/policy-record.js';
import { parsePolicyDocument } from '../../src/policies/policy-document.js';
import { PolicySnapshot } from '../../src/policies/policy-snapshot.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { ACCESS_PATH } from '../../src/directory/access-records.js';
import { AccessInstance, aPrincipal, aTenant } from '../suites/access-directory.suite.js';

const ALLOW_ALL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Publish', Resource: '*' }] };
const policy = (document: object) =>
  withVersion(null, { document: JSON.stringify(document), createdAtMs: 1, createdBy: 'admin' });

describe('what the directory of access gives to those who decide', () => {
  let keys: MemoryClusterKeys;
  let instance: AccessInstance;
  beforeEach(async () => {
    keys = new MemoryClusterKeys();
    instance = new AccessInstance(keys);
    await instance.directory.ready;
    await instance.writer.create('tenant', ['t1'], aTenant({ account: '123456789012' }));
    await instance.writer.create('policy', ['t1', 'all'], policy(ALLOW_ALL));
    await instance.writer.create('group', ['t1', 'staff'], { title: '', policies: ['all'], createdAtMs: 1 });
    await instance.writer.create('principal', ['t1', 'ann'], aPrincipal({ policies: ['all'] }));
    await instance.writer.create('principal', ['t1', 'bob'], aPrincipal({ groups: ['staff'] }));
  });
  afterEach(() => instance.directory.close());

  const decide = (principal: string): string => {
    const { directory } = instance;
    const policies = [...directory.list('policy')].map(({ names: [tenant = '', name = ''], record }) => {
      return { tenant, name, document: parsePolicyDocument(currentDocument(record)) };
    });
    const attachments = attachmentsOf(directory);
    const revision = directory.generation;
    const snapshot = new PolicySnapshot({ revision, policies, attachments, accounts: accountsOf(directory) });
    const { record } = directory.get('principal', 't1', principal)!;
    const subject = { tenant: 't1', principal, certificate: null, groups: record.groups, roles: [] };
    return snapshot.setFor(subject).decide('iot:Publish', 'topic/x', { caller: {} }).effect;
  };
  const damage = (key: string) =>
    keys.under(ACCESS_PATH).commit({ guards: [], puts: [{ key, value: '{"format":2}' }] });
  const seen = () => instance.directory.reached(keys.revision, 10_000);

  it('allows what is attached to a principal, and to its group', () => {
    expect([decide('ann'), decide('bob')]).toEqual(['allow', 'allow']);
    expect(accountsOf(instance.directory)).toEqual(new Map([['t1', '123456789012']]));
  });

  it.each([
    ['a policy', 'policies/t1/all', ['deny', 'deny']],
    ['a group', 'groups/t1/staff', ['allow', 'deny']],
    ['the principal', 'principals/t1/ann', ['none', 'allow']],
  ])('allows nothing by %s that cannot be read', async (_what, key, effects) => {
    await damage(key);
    await seen();
    expect([decide('ann'), decide('bob')]).toEqual(effects);
  });

  it('hands authorities and revocations over as the judge of certificates takes them', async () => {
    const thing = { tenant: 't1', thing: 'lamp', fingerprint: 'f', twin: null, keyHash: 'k' };
    const { directory } = instance;
    // The directory can be asked itself: it always has those of now.
    const lookup: RevocationLookup = {
      has: (tenant, kind, id) => directory.get('revocation', tenant, kind, id) !== null,
    };
    const copied = () => Revocations.of([...directory.list('revocation')].map(({ record }) => record));
    expect([isRevoked(thing, lookup), isRevoked(thing, copied())]).toEqual([false, false]);
    await damage('revocations/t1/thing/lamp');
    await damage(`authorities/t1/${'a'.repeat(64)}`);
    await seen();
    expect([isRevoked(thing, lookup), isRevoked(thing, copied())]).toEqual([true, true]);
    const trusted = [...directory.list('authority')].map(({ record }) => record);
    const registry = CaRegistry.of(trusted.filter(({ isDisabled }) => !isDisabled));
    expect([trusted.length, registry.size]).toEqual([1, 0]);
  });
});
