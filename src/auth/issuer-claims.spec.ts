import { ISSUER, type IssuerRecord } from '../directory/records/issuer-record.js';
import { identityOf } from './issuer-claims.js';
import type { TokenClaims } from './tokens/token-claims.js';
import { TokenFault } from './tokens/token-fault.js';
import type { TokenIdentity } from './tokens/trusted-issuer.js';

const RECORD: IssuerRecord = { ...ISSUER.closed(['acme', 'corp']), isDisabled: false };
const identify = (raw: object, changes: Partial<IssuerRecord> = {}) =>
  identityOf({ record: { ...RECORD, ...changes }, revision: 7 }, { raw } as TokenClaims);
const identified = (raw: object, changes?: Partial<IssuerRecord>) => identify(raw, changes) as TokenIdentity;

it('names principals of the tenant of the record, whatever the claims say', () => {
  expect(identify({ sub: 'alice', tenant: 'other', principal: 'admin', umbra_key: 'k' })).toEqual({
    ...{ tenant: 'acme', principal: 'corp~alice', scopes: ['*'], roles: [] },
    origin: { name: 'corp', revision: 7 },
  });
});

it.each([
  ['sub', { sub: 'auth0|5f7c:a@b.c' }, 'corp~auth0|5f7c:a@b.c'],
  ['sub', { sub: 'other~alice' }, null],
  ['sub', { sub: 'a/b' }, null],
  ['sub', { sub: '..' }, null],
  ['sub', { sub: 'lamp\n' }, null],
  ['sub', { sub: 'аlice' }, null],
  ['sub', { sub: 'a'.repeat(129) }, null],
  ['sub', { sub: ['alice'] }, null],
  ['email', { sub: 'x', email: 'a@b.c' }, 'corp~a@b.c'],
  ['email', { sub: 'x' }, null],
  ['https://acme/id', { 'https://acme/id': 'a' }, 'corp~a'],
  ['/user/id', { user: { id: 'a' } }, 'corp~a'],
  ['/user~1id/~0x', { 'user/id': { '~x': 'a' } }, 'corp~a'],
  ['/user/id', { user: 'id' }, null],
  ['/sub/length', { sub: 'abc' }, null],
  ['/constructor/name', {}, null],
  ['toString', {}, null],
])('finds by %s in %j the principal %s', (principalFrom, raw, principal) => {
  const found = identify(raw, { principalFrom });
  expect(found instanceof TokenFault ? null : found.principal).toBe(principal);
});

const roles: IssuerRecord['roles'] = new Map([
  ['ops', ['operator']],
  ['both', ['viewer', 'operator']],
  ['Ops Team', ['service']],
]);
it.each([
  ['groups', { groups: ['ops'] }, ['operator']],
  ['groups', { groups: ['both', 'ops', 'nobody', 7, null] }, ['viewer', 'operator']],
  ['groups', { groups: 'Ops Team' }, ['service']],
  ['groups', { groups: 'ops both' }, []],
  ['groups', { groups: ['admin', 'tenant-admin', 'role:admin', '__proto__'] }, []],
  ['groups', { groups: { 0: 'ops' } }, []],
  ['groups', { roles: ['ops'] }, []],
  ['scope', { scope: 'openid ops' }, ['operator']],
  ['/realm_access/roles', { realm_access: { roles: ['ops'] } }, ['operator']],
  [null, { groups: ['ops'] }, []],
])('gives by %s in %j the roles %j', (rolesFrom, raw, expected) => {
  expect(identified({ sub: 'a', ...raw }, { rolesFrom, roles }).roles).toEqual(expected);
});

it.each([
  [{}, ['*']],
  [{ scope: 'openid profile' }, ['*']],
  [{ scope: 'openid iot:Get*' }, ['iot:Get*']],
  [{ scope: 'umbra:' }, ['umbra:']],
  [{ scp: ['openid', 'umbra:Watch'] }, ['umbra:Watch']],
  [{ scp: ['umbra:Watch'], scope: '*' }, ['umbra:Watch']],
])('reads of %j the scopes %j', (raw, scopes) => {
  expect(identified({ sub: 'a', ...raw }).scopes).toEqual(scopes);
});
