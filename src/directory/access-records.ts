import { AUTHORITY } from './records/authority-record.js';
import { GROUP } from './records/group-record.js';
import { ISSUER } from './records/issuer-record.js';
import { KEY } from './records/key-record.js';
import { POLICY } from './records/policy-record.js';
import { PRINCIPAL } from './records/principal-record.js';
import { checkNames, decodeRecord, keyOf, type RecordKind } from './records/record-kind.js';
import { RecordFault } from './records/record-reader.js';
import { REVOCATION } from './records/revocation-record.js';
import { ROUTE_LISTS } from './records/route-lists-record.js';
import { SINK } from './records/sink-record.js';
import { TENANT } from './records/tenant-record.js';
import { TOKEN_POLICY } from './records/token-policy-record.js';

/** Path of the records of access below the keys of the cluster. */
export const ACCESS_PATH = 'access/';

/** All kinds of records of access. */
export const RECORD_KINDS = {
  tenant: TENANT,
  principal: PRINCIPAL,
  key: KEY,
  policy: POLICY,
  group: GROUP,
  authority: AUTHORITY,
  issuer: ISSUER,
  revocation: REVOCATION,
  routeLists: ROUTE_LISTS,
  tokenPolicy: TOKEN_POLICY,
  sink: SINK,
};

export type KindName = keyof typeof RECORD_KINDS;

/** The record of each kind. */
export type RecordTypes = {
  [Name in KindName]: (typeof RECORD_KINDS)[Name] extends RecordKind<infer Record> ? Record : never;
};

/** A record as the directory holds it. */
export interface AccessEntry<R> {
  /** The parts of its key after the folder, such as tenant and id. */
  readonly names: readonly string[];
  readonly record: R;
  /** Revision at which it was put: its ETag. */
  readonly revision: number;
  /** Why it cannot be read, for operators; `record` then allows nothing. null: it is as it should be. */
  readonly fault: string | null;
}

/** Which record a key of the store names. */
export interface RecordPlace {
  readonly kind: KindName;
  readonly names: readonly string[];
}

const BY_FOLDER = new Map(
  (Object.entries(RECORD_KINDS) as [KindName, RecordKind<unknown>][]).map(([name, { folder }]) => [folder, name]),
);

/** The kind of records of this name. No errors. */
export function kindOf<Name extends KindName>(name: Name): RecordKind<RecordTypes[Name]> {
  // Both sides are the same member of one table, which the compiler cannot see for an open name.
  return RECORD_KINDS[name] as unknown as RecordKind<RecordTypes[Name]>;
}

/** The record that a key names, relative to ACCESS_PATH; null: a foreign key. No errors. */
export function placeOf(key: string): RecordPlace | null {
  const [folder = '', ...names] = key.split('/');
  const kind = BY_FOLDER.get(folder);
  if (kind === undefined) return null;
  try {
    checkNames<unknown>(RECORD_KINDS[kind] as RecordKind<unknown>, names);
    return { kind, names };
  } catch {
    return null;
  }
}

/** The key of a record, relative to ACCESS_PATH. @throws RecordFault for names that no such record can have */
export function keyOfRecord(kind: KindName, names: readonly string[]): string {
  const found = RECORD_KINDS[kind] as RecordKind<unknown>;
  checkNames(found, names);
  return keyOf(found, names);
}

/** Reads what the store holds. One that cannot be read becomes a record that allows nothing. No errors. */
export function readEntry<Name extends KindName>(
  name: Name,
  names: readonly string[],
  stored: { readonly value: string; readonly revision: number },
): AccessEntry<RecordTypes[Name]> {
  const kind = kindOf(name);
  const { revision } = stored;
  try {
    return { names, record: decodeRecord(kind, names, stored.value), revision, fault: null };
  } catch (error) {
    const fault = error instanceof RecordFault ? error.message : `${keyOf(kind, names)} cannot be read`;
    return { names, record: kind.closed(names), revision, fault };
  }
}
