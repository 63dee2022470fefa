import type { PolicyContext } from './context-keys.js';
import { parsePolicyDocument } from './policy-document.js';
import { PolicySnapshot, type PolicySubject, type SnapshotRecords } from './policy-snapshot.js';

const NONE: PolicyContext = { caller: {} };
const arn = (resource: string, account = '1'): string => `arn:aws:iot:r:${account}:${resource}`;
const document = (Effect: string, Action: string, Resource: string) =>
  parsePolicyDocument(JSON.stringify({ Version: '2012-10-17', Statement: { Sid: 'only', Effect, Action, Resource } }));

const records: SnapshotRecords = {
  revision: 7,
  policies: [
    { tenant: 'acme', name: 'publish', document: document('Allow', 'iot:Publish', arn('topic/*')) },
    { tenant: 'acme', name: 'quiet', document: document('Deny', 'iot:Publish', arn('topic/alarm')) },
    { tenant: 'acme', name: 'everything', document: document('Allow', '*', '*') },
    { tenant: 'other', name: 'publish', document: document('Allow', 'iot:Publish', arn('topic/other')) },
  ],
  attachments: [
    { tenant: 'acme', target: 'principal', id: 'lamp', policy: 'publish' },
    { tenant: 'acme', target: 'certificate', id: 'c0ffee', policy: 'quiet' },
    { tenant: 'acme', target: 'group', id: 'silent', policy: 'quiet' },
    { tenant: 'acme', target: 'group', id: 'loud', policy: 'publish' },
    { tenant: 'acme', target: 'principal', id: 'root', policy: 'everything' },
    { tenant: 'acme', target: 'principal', id: 'lost', policy: 'publish' },
    { tenant: 'acme', target: 'principal', id: 'lost', policy: 'gone' },
    { tenant: 'acme', target: 'principal', id: 'reader', policy: 'role:viewer' },
    { tenant: 'strict', target: 'tenant', id: 'strict', policy: 'mine' },
    { tenant: 'other', target: 'principal', id: 'lamp', policy: 'publish' },
  ],
};
const subject = (members: Partial<PolicySubject>): PolicySubject => ({
  tenant: 'acme',
  principal: 'nobody',
  certificate: null,
  groups: [],
  roles: [],
  ...members,
});
const snapshot = new PolicySnapshot(records);
const publish = (members: Partial<PolicySubject>, topic: string): string =>
  snapshot.setFor(subject(members)).decide('iot:Publish', `topic/${topic}`, NONE).effect;

describe('a snapshot', () => {
  it.each<[string, Partial<PolicySubject>, string, string]>([
    ['nothing without an attachment', {}, 'a', 'none'],
    ['by principal', { principal: 'lamp' }, 'alarm', 'allow'],
    ['by principal and certificate', { principal: 'lamp', certificate: 'c0ffee' }, 'alarm', 'deny'],
    ['by group', { groups: ['loud'] }, 'alarm', 'allow'],
    ['by several groups', { groups: ['loud', 'silent'] }, 'alarm', 'deny'],
    ['by a name in its own tenant only', { tenant: 'other', principal: 'lamp' }, 'a', 'none'],
    ['by the same name in another tenant', { tenant: 'other', principal: 'lamp' }, 'other', 'allow'],
    ['not across kinds of targets', { principal: 'loud', groups: ['lamp'], certificate: 'lamp' }, 'a', 'none'],
    ['nothing at all when an attached policy is missing', { principal: 'lost' }, 'a', 'deny'],
    ['nothing in a tenant that is unknown', { tenant: 'unknown', principal: 'lamp' }, 'a', 'none'],
    ['by a role of the credential', { roles: ['admin'] }, 'a', 'allow'],
    ['by an attached role', { principal: 'reader' }, '$aws/things/lamp/shadow/get', 'allow'],
    ['no more than an attached role', { principal: 'reader' }, '$aws/things/lamp/shadow/update', 'none'],
  ])('allows %s', (_title, members, topic, effect) => {
    expect(publish(members, topic)).toBe(effect);
  });

  it('explains a refusal by what is missing', () => {
    const set = snapshot.setFor(subject({ principal: 'lost' }));
    expect(set.explain('iot:Publish', 'topic/a', NONE)).toEqual({
      effect: 'deny',
      policy: 'gone',
      statement: null,
      sid: null,
      source: null,
      isUnresolved: false,
    });
  });

  it('explains a Deny that holds because a variable has no value', () => {
    const denied = document('Deny', 'iot:Publish', arn('topic/${iot:ClientId}'));
    const set = new PolicySnapshot({
      revision: 1,
      policies: [{ tenant: 'acme', name: 'p', document: denied }],
      attachments: [{ tenant: 'acme', target: 'tenant', id: 'acme', policy: 'p' }],
    }).setFor(subject({}));
    expect(set.explain('iot:Publish', 'topic/a', NONE)).toMatchObject({
      effect: 'deny',
      sid: 'only',
      isUnresolved: true,
    });
    const known = { caller: { 'iot:ClientId': 'a' } };
    expect(set.explain('iot:Publish', 'topic/a', known)).toMatchObject({ effect: 'deny', isUnresolved: false });
    expect(set.permissions()).toEqual([
      { policy: 'p', statement: 0, source: expect.objectContaining({ Sid: 'only', Effect: 'Deny' }) },
    ]);
  });

  it('counts ARNs of the account alone that a tenant states', () => {
    const policies = [
      { tenant: 'strict', name: 'mine', document: document('Allow', 'iot:Publish', arn('topic/mine', '11*')) },
      { tenant: 'strict', name: 'theirs', document: document('Allow', 'iot:Publish', arn('topic/theirs', '222')) },
    ];
    const attachments = policies.map(({ name }) => ({
      tenant: 'strict',
      target: 'tenant' as const,
      id: 'strict',
      policy: name,
    }));
    const effects = [new Map([['strict', '111']]), new Map<string, string>()].map((accounts) => {
      const set = new PolicySnapshot({ revision: 1, policies, attachments, accounts }).setFor(
        subject({ tenant: 'strict' }),
      );
      return (['topic/mine', 'topic/theirs'] as const).map((topic) => set.decide('iot:Publish', topic, NONE).effect);
    });
    expect(effects).toEqual([
      ['allow', 'none'],
      ['allow', 'allow'],
    ]);
  });

  it('lets no policy of a tenant reach another one', () => {
    const root = snapshot.setFor(subject({ principal: 'root' }));
    const admin = snapshot.setFor(subject({ roles: ['admin'] }));
    const asked = (['tenant/acme', 'tenant/acme/policies', 'tenant/acme2', 'tenant/other'] as const).map((resource) => [
      root.decide('umbra:AdminPolicies', resource, NONE).effect,
      admin.decide('umbra:AdminPolicies', resource, NONE).effect,
    ]);
    expect(asked).toEqual([
      ['allow', 'allow'],
      ['allow', 'allow'],
      ['none', 'allow'],
      ['none', 'allow'],
    ]);
  });

  it('compiles one set for all who have the same policies, and keeps no more than its bound', () => {
    const small = new PolicySnapshot(records, 2);
    const first = subject({ principal: 'lamp' });
    const set = small.setFor(first);
    expect(small.setFor(first)).toBe(set);
    expect(small.setFor(subject({ principal: 'fan', groups: ['loud'] }))).toBe(set);
    expect(small.setFor(subject({ principal: 'fan', groups: ['loud', 'silent'] }))).not.toBe(set);
    expect(small.setFor(subject({ principal: 'lamp' }))).toBe(set);
    small.setFor(subject({ principal: 'root' }));
    expect(small.size).toBe(2);
    expect(small.setFor(subject({ principal: 'lamp' }))).toBe(set);
    small.setFor(subject({ principal: 'reader' }));
    small.setFor(subject({ principal: 'root' }));
    expect(small.setFor(subject({ principal: 'lamp' }))).not.toBe(set);
    expect(small.setFor(first)).toBe(set);
    expect(small.size).toBe(2);
  });

  it('says whether decisions differ between requests', () => {
    const timed = parsePolicyDocument(
      JSON.stringify({
        Version: '2012-10-17',
        Statement: {
          Effect: 'Allow',
          Action: 'iot:Publish',
          Resource: '*',
          Condition: { DateLessThan: { 'aws:CurrentTime': '2027-01-01T00:00:00Z' } },
        },
      }),
    );
    const attachments = [{ tenant: 'acme', target: 'tenant' as const, id: 'acme', policy: 'p' }];
    const policies = [{ tenant: 'acme', name: 'p', document: timed }];
    const set = new PolicySnapshot({ revision: 1, policies, attachments }).setFor(subject({}));
    expect(set.dependsOnRequest).toBe(true);
    expect(snapshot.setFor(subject({ principal: 'lamp' })).dependsOnRequest).toBe(false);
    const at = (now: number): string => set.decide('iot:Publish', 'topic/a', { caller: {}, now }).effect;
    expect([at(Date.UTC(2026, 11, 31)), at(Date.UTC(2027, 0, 1))]).toEqual(['allow', 'none']);
  });
});
