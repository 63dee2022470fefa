import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { DENY_ALL } from '../directory/records/policy-record.js';
import { subjectPolicies } from './subject-policies.js';

const RECORDS: Readonly<Record<string, object>> = {
  'tenant acme': { policies: ['house'] },
  'tenant other': { policies: [] },
  'principal acme lamp': { roles: ['device'], policies: ['publish', 'house'], groups: ['loud', 'silent'] },
  'principal acme lost': { roles: [], policies: [], groups: ['gone'] },
  'principal other lamp': { roles: [], policies: ['theirs'], groups: ['loud'] },
  'group acme loud': { policies: ['publish', 'alarm'] },
  'group acme silent': { policies: ['quiet'] },
  'group other loud': { policies: ['elsewhere'] },
};
const directory = {
  get: (...names: string[]) => {
    const record = RECORDS[names.join(' ')];
    return record === undefined ? null : { record };
  },
} as unknown as AccessDirectory;
const issuer = { name: 'company', revision: 1 };

describe('the policies that a principal is subject to', () => {
  it.each<[string, Partial<Principal>, string[]]>([
    ['nobody knows: those of the tenant', { id: 'nobody' }, ['house']],
    ['is in groups: each once', { id: 'lamp' }, ['alarm', 'house', 'publish', 'quiet', 'role:device']],
    ['has the same name in another tenant', { id: 'lamp', tenant: 'other' }, ['elsewhere', 'theirs']],
    ['is in a group that is gone', { id: 'lost' }, ['house', DENY_ALL]],
    ['is of a tenant that is gone', { id: 'lamp', tenant: 'gone' }, []],
    [
      'has roles by its credential',
      { id: 'lost', roles: ['viewer', 'admin'] },
      [...['house', 'role:admin', 'role:viewer', DENY_ALL]],
    ],
    ['is of an issuer: not admin', { id: 'nobody', roles: ['viewer', 'admin'], issuer }, ['house', 'role:viewer']],
  ])('that %s', (_title, members, names) => {
    expect(subjectPolicies(directory, { id: 'nobody', tenant: 'acme', ...members })).toEqual(names);
  });
});
