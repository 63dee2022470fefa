import type { AccessDirectory } from './access-directory.js';

/** That a policy is attached to somebody: plain data, for whoever compiles policies. */
export interface Attachment {
  readonly tenant: string;
  readonly target: 'principal' | 'group' | 'tenant';
  /** Id of the principal or group; of the tenant itself for `tenant`. */
  readonly id: string;
  /** Name of a policy of this tenant, or `role:` and the name of a role. */
  readonly policy: string;
}

/** All attachments of the present state. Use them up before the next turn. No errors. */
export function* attachmentsOf(directory: AccessDirectory): Generator<Attachment> {
  for (const { names, record } of directory.list('tenant')) yield* each('tenant', names[0], names[0], record.policies);
  for (const { names, record } of directory.list('group')) yield* each('group', names[0], names[1], record.policies);
  for (const { names, record } of directory.list('principal')) {
    yield* each('principal', names[0], names[1], record.policies);
  }
}

/** AWS account of each tenant that states one. No errors. */
export function accountsOf(directory: AccessDirectory): ReadonlyMap<string, string> {
  const accounts = new Map<string, string>();
  for (const { names, record } of directory.list('tenant')) {
    if (record.account !== null) accounts.set(names[0] ?? '', record.account);
  }
  return accounts;
}

function* each(target: Attachment['target'], tenant = '', id = '', policies: readonly string[]): Generator<Attachment> {
  for (const policy of policies) yield { tenant, target, id, policy };
}
