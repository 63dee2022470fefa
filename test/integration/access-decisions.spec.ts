import { X509Certificate } from 'node:crypto';
import { checkDevice } from '../../src/auth/certificates/device-certificate.js';
import { DeviceTrust } from '../../src/auth/certificates/device-trust.js';
import { fingerprintOf } from '../../src/auth/certificates/fingerprint.js';
import { ACCESS_PATH } from '../../src/directory/access-records.js';
import { recordOf } from '../../src/directory/record-of.js';
import { withVersion } from '../../src/directory/records/policy-record.js';
import { PolicyAuthorizer } from '../../src/policies/policy-authorizer.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { SettableClock } from '../harness/clock.js';
import * as x509 from '../harness/x509.js';
import { AccessInstance, aPrincipal, aTenant } from '../suites/access-directory.suite.js';

const ALLOW_ALL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Publish', Resource: '*' }] };
const allowing = (account: string): object => {
  const resource = `arn:aws:iot:eu-central-1:${account}:topic/x`;
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Publish', Resource: resource }] };
};
const policy = (document: object) =>
  withVersion(null, { document: JSON.stringify(document), createdAtMs: 1, createdBy: 'admin' });

describe('what the directory of access gives to those who decide', () => {
  let keys: MemoryClusterKeys;
  let instance: AccessInstance;
  let authorizer: PolicyAuthorizer;
  let trust: DeviceTrust;
  beforeEach(async () => {
    keys = new MemoryClusterKeys();
    instance = new AccessInstance(keys);
    authorizer = new PolicyAuthorizer(instance.directory, new SettableClock());
    trust = new DeviceTrust(instance.directory);
    await instance.directory.ready;
    await instance.writer.create('tenant', ['t1'], aTenant({ account: '123456789012' }));
    await instance.writer.create('policy', ['t1', 'all'], policy(ALLOW_ALL));
    await instance.writer.create('group', ['t1', 'staff'], { title: '', policies: ['all'], createdAtMs: 1 });
    await instance.writer.create('principal', ['t1', 'ann'], aPrincipal({ policies: ['all'] }));
    await instance.writer.create('principal', ['t1', 'bob'], aPrincipal({ groups: ['staff'] }));
  });
  afterEach(() => instance.directory.close());

  const decide = (id: string): boolean =>
    authorizer.allows({ id, tenant: 't1' }, 'iot:Publish', 'topic/x', { clientId: id });
  const damage = (key: string) =>
    keys.under(ACCESS_PATH).commit({ guards: [], puts: [{ key, value: '{"format":2}' }] });
  const seen = () => instance.directory.reached(keys.revision, 10_000);

  it('allows what is attached to a principal, and to its group', () => {
    expect([decide('ann'), decide('bob')]).toEqual([true, true]);
  });

  it('allows nothing by ARNs of another account than the one of the tenant', async () => {
    await instance.writer.create('policy', ['t1', 'own'], policy(allowing('123456789012')));
    await instance.writer.create('policy', ['t1', 'foreign'], policy(allowing('210987654321')));
    await instance.writer.create('principal', ['t1', 'cid'], aPrincipal({ policies: ['own'] }));
    await instance.writer.create('principal', ['t1', 'dan'], aPrincipal({ policies: ['foreign'] }));
    expect([decide('cid'), decide('dan')]).toEqual([true, false]);
  });

  it.each([
    ['Deny', 'StringEquals', false, true],
    ['Deny', 'StringNotEquals', false, false],
    ['Allow', 'StringEquals', false, false],
    ['Allow', 'StringNotEquals', false, true],
    ['Allow', 'ForAllValues:StringEquals', false, true],
  ])(
    'lets no %s by %s of a certificate that it does not read make more allowed',
    async (Effect, operator, ...effects) => {
      const Condition = { [operator]: { 'iot:Certificate.Subject.Organization.List': 'Acme' } };
      const asked = { Effect, Action: 'iot:Publish', Resource: '*', Condition };
      const Statement = Effect === 'Deny' ? [...ALLOW_ALL.Statement, asked] : [asked];
      await instance.writer.create('policy', ['t1', 'of-acme'], policy({ ...ALLOW_ALL, Statement }));
      await instance.writer.create('principal', ['t1', 'eve'], aPrincipal({ policies: ['of-acme'] }));
      const eve = { id: 'eve', tenant: 't1' };
      const decided = [{ ...eve, certificateId: 'c0ffee' }, eve].map((who) =>
        authorizer.allows(who, 'iot:Publish', 'topic/x'),
      );
      expect(decided).toEqual(effects);
    },
  );

  it.each([
    ['a policy', 'policies/t1/all', [false, false]],
    ['a group', 'groups/t1/staff', [true, false]],
    ['the principal', 'principals/t1/ann', [false, true]],
    ['the tenant', 'tenants/t1', [false, false]],
  ])('allows nothing by %s that cannot be read', async (_what, key, effects) => {
    await damage(key);
    await seen();
    expect([decide('ann'), decide('bob')]).toEqual(effects);
  });

  it('trusts no authority that cannot be read, and holds such a revocation', async () => {
    const ca = x509.issueAuthority();
    const lamp = new X509Certificate(x509.issue(ca).der);
    const caId = fingerprintOf(ca.der);
    const authority = recordOf('authority', ['t1', caId], {
      ...{ pem: ca.pem, nameFrom: 'commonName', disabled: false, registersAtFirstSight: false, policies: [] },
      registeredAtMs: 1,
    });
    const judged = () => {
      const check = checkDevice(lamp, trust, Date.now());
      return check.kind === 'device' ? check.device.thing : check.fault.reason;
    };
    expect(judged()).toBe('unknownIssuer');
    await instance.writer.create('authority', ['t1', caId], authority);
    expect([judged(), trust.faultOf('t1', caId)]).toEqual(['lamp-1', null]);
    await damage('revocations/t1/thing/lamp-1');
    await seen();
    expect(judged()).toBe('revoked');
    await keys.under(ACCESS_PATH).commit({ guards: [], deletes: ['revocations/t1/thing/lamp-1'] });
    await seen();
    expect(judged()).toBe('lamp-1');
    await damage(`authorities/t1/${caId}`);
    await seen();
    expect([judged(), trust.faultOf('t1', caId)]).toEqual(['unknownIssuer', expect.any(String)]);
  });
});
