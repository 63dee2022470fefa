import fc from 'fast-check';
import { anyRecord, ARBITRARIES, type NamedRecord } from '../../test/harness/access-arbitraries.js';
import { keyOfRecord, kindOf, placeOf, readEntry, RECORD_KINDS, type KindName } from './access-records.js';
import { currentDocument, DENY_ALL } from './records/policy-record.js';
import { decodeRecord, encodeRecord } from './records/record-kind.js';

const encode = ({ kind, names, record }: NamedRecord): string => encodeRecord<unknown>(kindOf(kind), names, record);
const decode = ({ kind, names }: NamedRecord, text: string): unknown =>
  decodeRecord<unknown>(kindOf(kind), names, text);
const membersOf = (named: NamedRecord): Record<string, unknown> => JSON.parse(encode(named)) as Record<string, unknown>;
const HASH = 'a'.repeat(64);

describe('the records of access', () => {
  it.each(Object.keys(RECORD_KINDS) as KindName[])('are read as they were written: %s', (kind) => {
    fc.assert(
      fc.property(ARBITRARIES[kind] as fc.Arbitrary<NamedRecord>, (named) => {
        const text = encode(named);
        expect(decode(named, text)).toEqual(named.record);
        expect(placeOf(keyOfRecord(named.kind, named.names))).toEqual({ kind, names: named.names });
        expect(JSON.parse(text)).toMatchObject({ format: 1 });
      }),
    );
  });

  it('need each of their members, and have no other', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(), fc.string({ maxLength: 10 }), (named, at, extra) => {
        const members = membersOf(named);
        const missing = Object.keys(members)[at % Object.keys(members).length]!;
        const rest = Object.fromEntries(Object.entries(members).filter(([member]) => member !== missing));
        expect(() => decode(named, JSON.stringify(rest))).toThrow(`.${missing} is missing`);
        fc.pre(!Object.hasOwn(members, extra) && extra !== '__proto__');
        expect(() => decode(named, JSON.stringify({ ...members, [extra]: null }))).toThrow(/ is unknown; remove it$/);
      }),
    );
  });

  it('of another format are refused by the number of the format', () => {
    fc.assert(
      fc.property(anyRecord, fc.integer({ min: 2 }), (named, format) => {
        const text = JSON.stringify({ ...membersOf(named), format, added: 'by a newer version' });
        const key = keyOfRecord(named.kind, named.names);
        expect(() => decode(named, text)).toThrow(`${key} has format ${format}; this version reads format 1 only`);
      }),
    );
  });

  it('whose members are of another type are refused', () => {
    const value = fc.oneof(fc.double(), fc.constant({}), fc.constant([{}]), fc.constant([1]), fc.constant('\u0000 /'));
    fc.assert(
      fc.property(anyRecord, fc.nat(), value, (named, at, other) => {
        const members = membersOf(named);
        const own = Object.keys(members).filter((member) => member !== 'format');
        const changed = own[at % own.length]!;
        const text = JSON.stringify({ ...members, [changed]: other });
        const { fault } = readEntry(named.kind, named.names, { value: text, revision: 1 });
        // Some types are what the member wants: then it says so when it is read again.
        if (fault === null)
          expect(JSON.parse(encode({ ...named, record: decode(named, text) as never }))).toEqual(JSON.parse(text));
        else expect(fault).toContain(`.${changed}`);
      }),
    );
  });

  it('allow nothing when they cannot be read, whatever is there instead', () => {
    const damage = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constant('{"format":2}'),
      fc.constant('null'),
      fc.constant('[]'),
    );
    fc.assert(
      fc.property(anyRecord, damage, ({ kind, names }, value) => {
        const entry = readEntry(kind, names, { value, revision: 7 });
        expect(entry.fault).not.toBeNull();
        expect(entry).toMatchObject({ names, revision: 7, record: kindOf(kind).closed(names) });
      }),
    );
  });

  it('that stand in for unreadable ones are the strictest of their kind', () => {
    expect(RECORD_KINDS.tenant.closed(['t'])).toMatchObject({ isDisabled: true, policies: [] });
    expect(RECORD_KINDS.principal.closed(['t', 'p'])).toMatchObject({
      isDisabled: true,
      roles: [],
      passwordHash: null,
    });
    expect(RECORD_KINDS.key.closed(['k'])).toMatchObject({
      isDisabled: true,
      expiresAtMs: 0,
      tenant: '',
      principal: '',
    });
    expect(JSON.parse(currentDocument(RECORD_KINDS.policy.closed(['t', 'p'])))).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
    });
    expect(RECORD_KINDS.group.closed(['t', 'g']).policies).toEqual([DENY_ALL]);
    expect(RECORD_KINDS.authority.closed(['t', HASH])).toMatchObject({
      isDisabled: true,
      registersAtFirstSight: false,
    });
    const closed = RECORD_KINDS.revocation.closed;
    expect(closed(['t', 'certificate', HASH])).toMatchObject({ tenant: 't', kind: 'certificate', fingerprint: HASH });
    expect(closed(['t', 'thing', 'lamp'])).toMatchObject({ tenant: 't', kind: 'thing', thing: 'lamp' });
    expect(closed(['t', 'authority', HASH])).toMatchObject({ tenant: 't', kind: 'authority', keyHash: HASH });
    expect(RECORD_KINDS.routeLists.closed([]).listeners.get('*')).toEqual({ allow: [], deny: ['* /**'] });
  });

  it('have a size at most', () => {
    const record = { title: '', isDisabled: false, account: null, policies: [], limits: new Map(), createdAtMs: 0 };
    const text = encodeRecord(RECORD_KINDS.tenant, ['t'], record);
    expect(() => decodeRecord(RECORD_KINDS.tenant, ['t'], text + ' '.repeat(65_536 - text.length))).not.toThrow();
    expect(() => decodeRecord(RECORD_KINDS.tenant, ['t'], text + ' '.repeat(65_537 - text.length))).toThrow(
      'tenants/t has 65537 bytes; at most 65536 are allowed',
    );
    const documents = Array.from({ length: 5 }, (_, i) => ({
      version: i + 1,
      document: '"'.repeat(16 * 1024),
      createdAtMs: 0,
      createdBy: 'x'.repeat(128),
    }));
    const policy = { versions: documents, current: 5 };
    expect(() => encodeRecord(RECORD_KINDS.policy, ['t', 'p'], policy)).not.toThrow();
  });

  it.each([
    ['tenants/', 'an empty name'],
    ['tenants/a/b', 'a name too many'],
    ['tenants/-a', 'a hyphen first'],
    [`tenants/${'a'.repeat(65)}`, 'too long'],
    ['principals/t', 'a name too few'],
    ['principals/t/..', 'dots'],
    ['principals/t/a b', 'a space'],
    ['principals/t/a\n', 'a line end'],
    ['principals/t/ä', 'a letter beyond ASCII'],
    ['policies/t/~deny-all', 'the reserved policy'],
    ['revocations/t/token/x', 'a kind that is not revoked here'],
    ['route-lists/x', 'a name for what has none'],
    ['elsewhere/x', 'another folder'],
    ['', 'nothing'],
  ])('have no key %j: %s', (key) => {
    expect(placeOf(key)).toBeNull();
    const [folder, ...names] = key.split('/');
    const kind = (Object.keys(RECORD_KINDS) as KindName[]).find((name) => RECORD_KINDS[name].folder === folder);
    if (kind) expect(() => keyOfRecord(kind, names)).toThrow(/Name \d|has \d names/);
  });

  it('tell where a fault is, and no value', () => {
    const group = (members: object): string =>
      JSON.stringify({ format: 1, title: '', policies: [], createdAtMs: 0, ...members });
    const fault = (value: string) => readEntry('group', ['t', 'g'], { value, revision: 1 }).fault;
    expect(fault(group({}))).toBeNull();
    expect(fault(group({ policies: ['ok', 'secret value'] }))).toBe(
      'groups/t/g.policies[1] must be 1 to 128 characters of a-z, A-Z, 0-9 and _+=,.@-, or role: and the name of a role',
    );
    expect(fault(group({ policies: ['a', 'a'] }))).toBe('groups/t/g.policies must not name anything twice');
    expect(fault(group({ createdAtMs: 1.5 }))).toMatch(/^groups\/t\/g\.createdAtMs must be a whole number of 0 to/);
    expect(fault('{"format":1')).toBe('groups/t/g is not JSON');
    expect(fault('[]')).toBe('groups/t/g must be an object');
    const proof = { kind: 'secret', digest: 'short' };
    const key = {
      format: 1,
      tenant: 't',
      principal: 'p',
      proof,
      disabled: false,
      createdAtMs: 0,
      expiresAtMs: null,
      title: '',
    };
    expect(readEntry('key', ['k'], { value: JSON.stringify(key), revision: 1 }).fault).toBe(
      'keys/k.proof.digest must be 16 to 8,192 printable characters of ASCII',
    );
  });
});
