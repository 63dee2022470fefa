import type { PolicyContext } from './context-keys.js';
import { parsePolicyDocument, type PolicyDocument } from './policy-document.js';
import { MAX_POLICIES, MAX_RULES } from './policy-set.js';
import { PolicySnapshot, type SnapshotRecords } from './policy-snapshot.js';

const NONE: PolicyContext = { caller: {} };
const arn = (resource: string, account = '1'): string => `arn:aws:iot:r:${account}:${resource}`;
const document = (Effect: string, Action: string, Resource: string) =>
  parsePolicyDocument(JSON.stringify({ Version: '2012-10-17', Statement: { Sid: 'only', Effect, Action, Resource } }));

const records: SnapshotRecords = {
  policies: [
    { tenant: 'acme', name: 'publish', document: document('Allow', 'iot:Publish', arn('topic/*')) },
    { tenant: 'acme', name: 'quiet', document: document('Deny', 'iot:Publish', arn('topic/alarm')) },
    { tenant: 'acme', name: 'everything', document: document('Allow', '*', '*') },
    { tenant: 'other', name: 'publish', document: document('Allow', 'iot:Publish', arn('topic/other')) },
  ],
};
const snapshot = new PolicySnapshot(records);
/** A snapshot of one policy, and the set of who has it alone. */
const setOfOne = (only: PolicyDocument) =>
  new PolicySnapshot({ policies: [{ tenant: 'acme', name: 'p', document: only }] }).setOf('acme', ['p']);

describe('a snapshot', () => {
  it.each<[string, string, string[], string, string]>([
    ['nothing without a policy', 'acme', [], 'a', 'none'],
    ['by a policy', 'acme', ['publish'], 'alarm', 'allow'],
    ['nothing that one of several denies', 'acme', ['publish', 'quiet'], 'alarm', 'deny'],
    ['what none of several denies', 'acme', ['publish', 'quiet'], 'a', 'allow'],
    ['nothing by the policy of another tenant', 'other', ['publish'], 'a', 'none'],
    ['by the policy of the same name in another tenant', 'other', ['publish'], 'other', 'allow'],
    ['nothing at all when an attached policy is missing', 'acme', ['gone', 'publish'], 'a', 'deny'],
    ['nothing at all in a tenant that has no policies', 'unknown', ['publish'], 'a', 'deny'],
    ['by a role', 'acme', ['role:admin'], 'a', 'allow'],
    ['by a role in a tenant that has no policies', 'unknown', ['role:admin'], 'a', 'allow'],
    ['what a role says', 'acme', ['role:viewer'], '$aws/things/lamp/shadow/get', 'allow'],
    ['no more than a role says', 'acme', ['role:viewer'], '$aws/things/lamp/shadow/update', 'none'],
  ])('allows %s', (_title, tenant, names, topic, effect) => {
    expect(snapshot.setOf(tenant, names).decide('iot:Publish', `topic/${topic}`, NONE).effect).toBe(effect);
  });

  it('explains a refusal by what is missing', () => {
    const set = snapshot.setOf('acme', ['gone', 'publish']);
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
    const set = setOfOne(denied);
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
    const effects = [new Map([['strict', '111']]), new Map<string, string>()].map((accounts) => {
      const set = new PolicySnapshot({ policies, accounts }).setOf('strict', ['mine', 'theirs']);
      return (['topic/mine', 'topic/theirs'] as const).map((topic) => set.decide('iot:Publish', topic, NONE).effect);
    });
    expect(effects).toEqual([
      ['allow', 'none'],
      ['allow', 'allow'],
    ]);
  });

  it('lets no policy of a tenant reach another one', () => {
    const root = snapshot.setOf('acme', ['everything']);
    const admin = snapshot.setOf('acme', ['role:admin']);
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
    const set = small.setOf('acme', ['publish']);
    expect(small.setOf('acme', ['publish'])).toBe(set);
    expect(small.setOf('acme', ['publish', 'quiet'])).not.toBe(set);
    expect(small.setOf('acme', ['publish'])).toBe(set);
    small.setOf('acme', ['everything']);
    expect(small.size).toBe(2);
    expect(small.setOf('acme', ['publish'])).toBe(set);
    small.setOf('acme', ['role:viewer']);
    small.setOf('acme', ['everything']);
    expect(small.setOf('acme', ['publish'])).not.toBe(set);
    expect(small.size).toBe(2);
  });

  it('tells tenants and lists of names apart, however they are written', () => {
    const names = [
      ['acme', ['a', 'b']],
      ['acme', ['a,b']],
      ['acme', ['a","b']],
      ['acme","a', ['b']],
    ] as const;
    expect(new Set(names.map(([tenant, each]) => snapshot.setOf(tenant, each))).size).toBe(names.length);
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
    const set = setOfOne(timed);
    expect(set.dependsOnRequest).toBe(true);
    expect(snapshot.setOf('acme', ['publish']).dependsOnRequest).toBe(false);
    const at = (now: number): string => set.decide('iot:Publish', 'topic/a', { caller: {}, now }).effect;
    expect([at(Date.UTC(2026, 11, 31)), at(Date.UTC(2027, 0, 1))]).toEqual(['allow', 'none']);
  });
});

describe('a caller with more than one may have', () => {
  const EACH = 500;
  const named = (count: number, only: PolicyDocument, prefix = 'p') =>
    Array.from({ length: count }, (_, at) => ({ tenant: 'acme', name: `${prefix}${1000 + at}`, document: only }));
  const wide = (resources: number) => {
    const Resource = Array.from({ length: resources }, (_, at) => arn(`topic/t/${at}*`));
    const Statement = { Effect: 'Allow', Action: 'iot:Publish', Resource };
    return parsePolicyDocument(JSON.stringify({ Version: '2012-10-17', Statement }));
  };
  const decision = (policies: SnapshotRecords['policies']) => {
    const names = [...policies].map(({ name }) => name);
    return new PolicySnapshot({ policies }).setOf('acme', names).decide('iot:Publish', 'topic/x', NONE);
  };
  const all = document('Allow', '*', '*');
  const last = { tenant: 'acme', name: 'q', document: document('Allow', 'iot:Publish', arn('topic/other')) };

  it('is refused everything from one rule too many, and told the policy', () => {
    const most = [...named(MAX_RULES / EACH - 1, wide(EACH)), ...named(1, wide(EACH - 1), 'o'), ...named(1, all, 'a')];
    expect(decision(most).effect).toBe('allow');
    expect(decision([...most, last])).toEqual({ effect: 'deny', policy: 'q', statement: null });
  });

  it('is refused everything from one policy too many, and told it', () => {
    const most = named(MAX_POLICIES, all);
    expect(decision(most).effect).toBe('allow');
    const set = new PolicySnapshot({ policies: [...most, last] }).setOf(
      'acme',
      [...most, last].map(({ name }) => name),
    );
    expect(set.decide('iot:Publish', 'topic/x', NONE)).toEqual({ effect: 'deny', policy: 'q', statement: null });
    expect(set.permissions()).toHaveLength(MAX_POLICIES);
  });
});
