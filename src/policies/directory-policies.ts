import { currentDocument } from '../directory/records/policy-record.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { parsePolicyDocument, type PolicyDocument } from './policy-document.js';
import { PolicySnapshot, type PolicyRecord } from './policy-snapshot.js';

/** A document that cannot be read denies everything to whom it is attached: it may have been a Deny. */
const DENY_ALL = parsePolicyDocument(
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] }),
);

/** The policies of the directory, as they are now. No errors. */
export function policiesIn(directory: AccessDirectory): PolicySnapshot {
  const policies: PolicyRecord[] = [];
  for (const { names, record } of directory.list('policy')) {
    const [tenant = '', name = ''] = names;
    policies.push({ tenant, name, document: documentOf(record) });
  }
  return new PolicySnapshot({ policies, accounts: accountsOf(directory) });
}

/** AWS account of each tenant that states one. */
function accountsOf(directory: AccessDirectory): ReadonlyMap<string, string> {
  const accounts = new Map<string, string>();
  for (const { names, record } of directory.list('tenant')) {
    if (record.account !== null) accounts.set(names[0] ?? '', record.account);
  }
  return accounts;
}

/** Of records that are still there as they were; a record never changes. */
const PARSED = new WeakMap<object, PolicyDocument>();

function documentOf(record: Parameters<typeof currentDocument>[0]): PolicyDocument {
  const known = PARSED.get(record);
  if (known !== undefined) return known;
  let document = DENY_ALL;
  try {
    document = parsePolicyDocument(currentDocument(record));
  } catch {
    // Written by another version of the service, which knew more. The writer of this one checks before it stores.
  }
  PARSED.set(record, document);
  return document;
}
