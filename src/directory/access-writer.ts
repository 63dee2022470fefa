import { randomBytes } from 'node:crypto';
import { ServiceError } from '../errors/service-error.js';
import type { ClusterKeys, Guard, KeyChange, Put, StoredKey } from '../store/cluster-keys.js';
import type { AccessDirectory } from './access-directory.js';
import { keyOfRecord, kindOf, type KindName, type RecordTypes } from './access-records.js';
import { encodeRecord } from './records/record-kind.js';
import { TENANT_NAME } from './records/record-names.js';
import { RecordFault } from './records/record-reader.js';
import { RECORDS_LIMIT, SHARE_OF_RECORDS } from './records/tenant-record.js';

/** One record that is to be created, replaced or deleted. */
export type RecordChange = { [Name in KindName]: ChangeOf<Name> }[KindName];

interface ChangeOf<Name extends KindName> {
  readonly kind: Name;
  readonly names: readonly string[];
  /** null: delete it. */
  readonly record: RecordTypes[Name] | null;
  /** Revision of the record that is to be replaced or deleted, as the caller has read it; null: there must be none. */
  readonly expected: number | null;
  /** The record ends with this lease. */
  readonly lease?: string;
}

/** What a change means for the store. */
interface Prepared {
  readonly key: string;
  /** null: the key is deleted. */
  readonly value: string | null;
  readonly guard: Guard;
  readonly lease: string | undefined;
  /** This node has the record that is to be replaced or deleted. */
  readonly wasThere: boolean;
}

/** Records of one commit: far below the operations that etcd takes in one Txn (128). */
const MAX_CHANGES = 50;
/** Milliseconds that a caller waits for this node to have seen its own change. */
const SEEN_MS = 1_000;
/** Random bytes that name a commit: its repetition after a lost answer is told from somebody else's by them. */
const WRITE_BYTES = 12;

/** Changes records of access. Nothing is written over what the caller has not seen. */
export class AccessWriter {
  /** @param keys those below ACCESS_PATH, as the directory has */
  constructor(
    private readonly keys: ClusterKeys,
    private readonly directory: AccessDirectory,
  ) {}

  /**
   * Makes all changes, or none. When it resolves this node acts by them, unless it is cut off from the watch.
   * @returns the revision of the records, which is their ETag
   * @throws ServiceError invalidRequest, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async commit(changes: readonly RecordChange[]): Promise<number> {
    if (changes.length === 0 || changes.length > MAX_CHANGES) {
      throw new ServiceError('invalidRequest', `Change 1 to ${MAX_CHANGES} records at once`);
    }
    const write = randomBytes(WRITE_BYTES).toString('base64url');
    const prepared = changes.map((change) => this.#prepare(change, write));
    this.#checkRoom(changes);
    const knownUpTo = this.directory.revision;
    const revision = (await this.keys.commit(commitOf(prepared))) ?? (await this.#settle(prepared, knownUpTo));
    await this.directory.reached(revision, SEEN_MS);
    return revision;
  }

  /** Creates a record. @throws as commit(); preconditionFailed when there is one */
  create<Name extends KindName>(kind: Name, names: readonly string[], record: RecordTypes[Name]): Promise<number> {
    return this.commit([{ kind, names, record, expected: null } as RecordChange]);
  }

  /** Replaces the record that was put at the revision. @throws as commit(); preconditionFailed when it is another */
  update<Name extends KindName>(
    kind: Name,
    names: readonly string[],
    record: RecordTypes[Name],
    expected: number,
  ): Promise<number> {
    return this.commit([{ kind, names, record, expected } as RecordChange]);
  }

  /** Deletes the record that was put at the revision. @throws as commit(); preconditionFailed when it is another */
  delete(kind: KindName, names: readonly string[], expected: number): Promise<number> {
    return this.commit([{ kind, names, record: null, expected }]);
  }

  #prepare<Name extends KindName>(change: ChangeOf<Name>, write: string): Prepared {
    const { kind, names, record, expected, lease } = change;
    try {
      const key = keyOfRecord(kind, names);
      const value = record === null ? null : encodeRecord(kindOf(kind), names, record, write);
      const [first, second, third] = names;
      const wasThere = this.directory.get(kind, first, second, third)?.revision === expected;
      const guard: Guard = expected === null ? { key, value: null } : { key, revision: expected };
      return { key, value, lease, wasThere, guard };
    } catch (error) {
      if (error instanceof RecordFault) throw new ServiceError('invalidRequest', error.message);
      throw error;
    }
  }

  #checkRoom(changes: readonly RecordChange[]): void {
    for (const change of changes) {
      const { kind, record, expected } = change;
      const { most, noun } = kindOf(kind);
      if (record === null || expected !== null || most === 1) continue;
      this.#checkShare(kind, tenantOfRecord(change), most);
      if (this.directory.count(kind) < most) continue;
      throw new ServiceError(
        'invalidRequest',
        `There are ${most} records of the kind ${noun} already; delete some first`,
      );
    }
  }

  /** One tenant must not fill the records for all others. */
  #checkShare(kind: KindName, tenant: string | null, most: number): void {
    if (tenant === null) return;
    const given = this.directory.get('tenant', tenant)?.record.limits.get(RECORDS_LIMIT);
    const share = given ?? Math.ceil(most * SHARE_OF_RECORDS);
    if (share === 0 || this.directory.countIn(kind, tenant) < share) return;
    throw new ServiceError(
      'invalidRequest',
      `The tenant has ${share} records of the kind ${kindOf(kind).noun}, as many as it may; delete some first, or have its limit '${RECORDS_LIMIT}' raised`,
    );
  }

  /**
   * Finds out what a commit without a revision means: a guard did not hold, or the commit went through, its answer was
   * lost, and its repetition met what it had put itself.
   * @throws ServiceError preconditionFailed, storageUnavailable, draining
   */
  async #settle(prepared: readonly Prepared[], knownUpTo: number): Promise<number> {
    const found = await Promise.all(prepared.map(({ key }) => this.keys.get(key)));
    const isOurs = prepared.every(({ value, wasThere }, i) => {
      const stored = found[i] ?? null;
      if (value === null) return stored === null && wasThere;
      return stored?.value === value && stored.revision > knownUpTo;
    });
    if (isOurs) return Math.max(knownUpTo, ...found.map((stored) => stored?.revision ?? 0));
    for (const [i, each] of prepared.entries()) checkGuard(each, found[i] ?? null);
    // All guards hold: somebody has changed the records twice meanwhile, or the lease has ended.
    throw new ServiceError(
      'preconditionFailed',
      'the records were being changed; read them again, and repeat the request',
    );
  }
}

/** Null: it belongs to none. */
function tenantOfRecord({ kind, names, record }: RecordChange): string | null {
  if (kind === 'key') return record?.tenant ?? null;
  return kind !== 'tenant' && kindOf(kind).parts[0] === TENANT_NAME ? (names[0] ?? null) : null;
}

function commitOf(prepared: readonly Prepared[]): KeyChange {
  const puts: Put[] = [];
  const deletes: string[] = [];
  for (const { key, value, lease } of prepared) {
    if (value === null) deletes.push(key);
    else puts.push({ key, value, ...(lease === undefined ? {} : { lease }) });
  }
  return { guards: prepared.map(({ guard }) => guard), puts, deletes };
}

/** @throws ServiceError preconditionFailed that says which record is in the way */
function checkGuard({ key, guard }: Prepared, stored: StoredKey | null): void {
  if (!('revision' in guard)) {
    if (stored) throw new ServiceError('preconditionFailed', `${key} exists already`);
  } else if (!stored) throw new ServiceError('preconditionFailed', `${key} does not exist, or no longer`);
  else if (stored.revision !== guard.revision) {
    throw new ServiceError(
      'preconditionFailed',
      `${key} has been changed since; read it again, and repeat the request`,
    );
  }
}

/** Injection token of the AccessWriter. */
export const ACCESS_WRITER = Symbol('AccessWriter');
