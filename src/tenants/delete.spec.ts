import type { AccessDirectory } from '../directory/access-directory.js';
import { RECORD_KINDS } from '../directory/access-records.js';
import { TENANT_NAME } from '../directory/records/record-names.js';
import { whatIsIn } from './delete.js';

it.each(
  Object.entries(RECORD_KINDS)
    .filter(([kind, { parts }]) => kind !== 'tenant' && parts[0] === TENANT_NAME)
    .map(([kind]) => kind),
)('finds a %s in a tenant that is to go, unless it only takes away', (kind) => {
  const directory = { list: (asked: string, tenant: string) => (asked === kind && tenant === 'acme' ? [{}] : []) };
  const found = [
    whatIsIn(directory as unknown as AccessDirectory, 'acme'),
    whatIsIn(directory as unknown as AccessDirectory, 'other'),
  ];
  expect(found).toEqual([kind === 'revocation' ? null : kind, null]);
});
