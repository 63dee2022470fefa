import fc from 'fast-check';
import { anyCharacter } from './any-character.js';
import { TOKEN_ALGORITHMS } from '../../src/access/token-algorithms.js';
import type { KindName, RecordTypes } from '../../src/directory/access-records.js';
import { PRINCIPAL_KINDS, type PrincipalRecord } from '../../src/directory/records/principal-record.js';
import { NAME_SOURCES } from '../../src/directory/records/authority-record.js';

/** A record of one kind with the names of its key. */
export interface NamedRecord<Name extends KindName = KindName> {
  readonly kind: Name;
  readonly names: readonly string[];
  readonly record: RecordTypes[Name];
}

const matching = (pattern: RegExp) => fc.stringMatching(pattern);
const notDots = (name: string): boolean => !/^\.{1,2}$/.test(name);

export const tenantName = matching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/);
export const thingName = matching(/^[a-zA-Z0-9:_-]{1,128}$/);
export const principalId = fc.oneof(
  matching(/^[a-zA-Z0-9:_.@+=,|-]{1,128}$/).filter(notDots),
  matching(/^[a-z][a-z0-9-]{0,31}~[a-zA-Z0-9:_@+=,|-]{1,128}$/),
);
export const policyName = matching(/^[\w+=,.@-]{1,128}$/).filter(notDots);
const attached = fc.oneof(
  policyName,
  matching(/^[a-z][a-z-]{0,20}$/).map((role) => `role:${role}`),
);
const hash = matching(/^[0-9a-f]{64}$/);
const secret = matching(/^[\x21-\x7e]{16,60}$/);
const time = fc.nat();
const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const several = (name: fc.Arbitrary<string>) => fc.uniqueArray(name, { maxLength: 4 });
const text = (maxLength: number) =>
  fc.string({ maxLength, unit: anyCharacter }).filter((each) => each.length <= maxLength);

function named<Name extends KindName>(
  kind: Name,
  names: readonly fc.Arbitrary<string>[],
  record: fc.Arbitrary<RecordTypes[Name]>,
): fc.Arbitrary<NamedRecord<Name>> {
  return fc.record({ kind: fc.constant(kind), names: fc.tuple(...names), record });
}

const principal: fc.Arbitrary<PrincipalRecord> = fc.record({
  kind: fc.constantFrom(...PRINCIPAL_KINDS),
  isDisabled: fc.boolean(),
  thing: nullable(thingName),
  thingType: nullable(thingName),
  attributes: fc
    .array(fc.tuple(matching(/^[a-zA-Z0-9_.:-]{1,20}$/), text(50)), { maxLength: 4 })
    .map((all) => new Map(all)),
  roles: several(matching(/^[a-z][a-z-]{0,31}$/)),
  policies: several(attached),
  groups: several(thingName),
  passwordHash: nullable(secret),
  createdAtMs: time,
});

const policy: fc.Arbitrary<RecordTypes['policy']> = fc
  .uniqueArray(fc.integer({ min: 1 }), { minLength: 1, maxLength: 5 })
  .chain((numbers) =>
    fc.record({
      current: fc.constantFrom(...numbers),
      versions: fc.tuple(
        ...numbers
          .toSorted((a, b) => a - b)
          .map((version) =>
            fc.record({
              version: fc.constant(version),
              document: text(200),
              createdAtMs: time,
              createdBy: principalId,
            }),
          ),
      ),
    }),
  );

const revocation: fc.Arbitrary<NamedRecord<'revocation'>> = fc
  .tuple(tenantName, fc.constantFrom('certificate', 'thing', 'authority'), thingName, hash, hash)
  .chain(([tenant, kind, thing, id, caId]) =>
    fc.record({ reason: text(100), revokedAtMs: time, revokedBy: principalId }).map((said) => {
      const names = [tenant, kind, kind === 'thing' ? thing : id];
      if (kind === 'thing') return { kind: 'revocation' as const, names, record: { ...said, tenant, kind, thing } };
      if (kind === 'certificate') {
        return { kind: 'revocation' as const, names, record: { ...said, tenant, kind, fingerprint: id } };
      }
      return { kind: 'revocation' as const, names, record: { ...said, tenant, kind: 'authority', keyHash: id, caId } };
    }),
  );

const authority: fc.Arbitrary<NamedRecord<'authority'>> = fc
  .record({
    tenant: tenantName,
    pem: text(200),
    nameFrom: fc.constantFrom(...NAME_SOURCES),
    isDisabled: fc.boolean(),
    registersAtFirstSight: fc.boolean(),
    policies: several(attached),
    registeredAtMs: time,
  })
  .chain((record) => hash.map((id) => ({ kind: 'authority' as const, names: [record.tenant, id], record })));

const issuerRoles = fc.uniqueArray(fc.constantFrom('device', 'operator', 'viewer', 'service', 'tenant-admin'));
const issuer: fc.Arbitrary<NamedRecord<'issuer'>> = fc
  .record({
    tenant: tenantName,
    name: matching(/^[a-z][a-z0-9-]{0,31}$/),
    url: matching(/^https:\/\/[a-z.-]{1,40}(:[0-9]{2,5})?(\/[\w.~-]{0,20}){0,3}$/),
    audiences: several(matching(/^[\x21-\x7e]{1,50}$/)),
    algorithms: fc.uniqueArray(fc.constantFrom(...TOKEN_ALGORITHMS)),
    principalFrom: matching(/^[\x20-\x7e]{1,50}$/),
    rolesFrom: nullable(matching(/^[\x20-\x7e]{1,50}$/)),
    roles: fc
      .array(fc.tuple(matching(/^[\x20-\x7eé]{1,50}$/), issuerRoles), { maxLength: 4 })
      .map((all) => new Map(all)),
    rolesForAll: issuerRoles,
    isDisabled: fc.boolean(),
    registeredAtMs: time,
  })
  .map((record) => ({ kind: 'issuer' as const, names: [record.tenant, record.name], record }));

const limits = fc.array(fc.tuple(matching(/^[a-zA-Z]{1,20}$/), fc.nat()), { maxLength: 4 }).map((all) => new Map(all));
const pattern = matching(/^([A-Z]{1,16}|\*) \/[\x21-\x7e]{0,60}$/);
const routeList = fc.record({ allow: nullable(several(pattern)), deny: several(pattern) });

const filterValues = nullable(several(matching(/^[ -~]{1,40}$/)));
const sink: fc.Arbitrary<NamedRecord<'sink'>> = fc
  .record({
    tenant: tenantName,
    name: matching(/^[a-z][a-z0-9-]{0,63}$/),
    id: matching(/^[0-9a-f]{16}$/),
    kind: matching(/^[a-z]{1,32}$/),
    settings: text(200),
    sealedSecrets: nullable(secret),
    filter: fc.record({
      ...{ things: filterValues, shadows: filterValues, kinds: filterValues, paths: filterValues },
      delta: fc.boolean(),
    }),
    isPaused: fc.boolean(),
    pauseReason: text(100),
    createdAtMs: time,
  })
  .map((record) => ({ kind: 'sink' as const, names: [record.tenant, record.name], record }));

/** A record of every kind. */
export const ARBITRARIES: { readonly [Name in KindName]: fc.Arbitrary<NamedRecord<Name>> } = {
  tenant: named(
    'tenant',
    [tenantName],
    fc.record({
      title: text(100),
      isDisabled: fc.boolean(),
      account: nullable(matching(/^[0-9]{12}$/)),
      policies: several(attached),
      limits,
      createdAtMs: time,
    }),
  ),
  principal: named('principal', [tenantName, principalId], principal),
  key: named(
    'key',
    [matching(/^[a-zA-Z0-9_-]{1,64}$/)],
    fc.record({
      tenant: tenantName,
      principal: principalId,
      proof: fc.oneof(
        fc.record({ kind: fc.constant('secret' as const), digest: secret }),
        fc.record({ kind: fc.constant('aws' as const), sealedSecret: secret, sessionTokenHash: nullable(hash) }),
      ),
      isDisabled: fc.boolean(),
      createdAtMs: time,
      expiresAtMs: nullable(time),
      title: text(100),
    }),
  ),
  policy: named('policy', [tenantName, policyName], policy),
  group: named(
    'group',
    [tenantName, thingName],
    fc.record({ title: text(100), policies: several(attached), createdAtMs: time }),
  ),
  authority,
  issuer,
  revocation,
  routeLists: named(
    'routeLists',
    [],
    fc.record({
      listeners: fc
        .array(fc.tuple(matching(/^([a-z][a-z0-9-]{0,31}|\*)$/), routeList), { maxLength: 4 })
        .map((all) => new Map(all)),
    }),
  ),
  tokenPolicy: named('tokenPolicy', [], fc.record({ yaml: text(500) })),
  sink,
};

/** A record of any kind. */
export const anyRecord: fc.Arbitrary<NamedRecord> = fc.oneof(
  ...(Object.values(ARBITRARIES) as fc.Arbitrary<NamedRecord>[]),
);
