import { Inject, Injectable } from '@nestjs/common';
import { ServiceError } from '../errors/service-error.js';
import { ACCESS_DIRECTORY, type AccessDirectory } from './access-directory.js';
import type { AccessEntry, KindName, RecordTypes } from './access-records.js';
import { ACCESS_WRITER, type AccessWriter } from './access-writer.js';

/** The entry that a change replaces: undefined is any that is there now or none, null is none, a number its revision. */
export type Expected = number | null | undefined;

export interface Page<R> {
  readonly entries: readonly AccessEntry<R>[];
  /** Name, within the tenant, after which the next page begins; none: this is the last one. */
  readonly next?: string;
}

/** Reads and changes records of access for those who may administer them. */
@Injectable()
export class Administration {
  constructor(
    @Inject(ACCESS_DIRECTORY) readonly directory: AccessDirectory,
    @Inject(ACCESS_WRITER) private readonly writer: AccessWriter,
  ) {}

  /** @throws ServiceError noRecord */
  get<Name extends KindName>(kind: Name, names: readonly string[]): AccessEntry<RecordTypes[Name]> {
    const entry = this.find(kind, names);
    if (entry === null) throw new ServiceError('noRecord', `${kind} '${names.at(-1) ?? ''}'`);
    return entry;
  }

  find<Name extends KindName>(kind: Name, names: readonly string[]): AccessEntry<RecordTypes[Name]> | null {
    return this.directory.get(kind, ...(names as [string]));
  }

  /**
   * In the order of names.
   * @param tenant null: records that belong to no tenant
   * @param isWanted none: all are
   */
  page<Name extends KindName>(
    kind: Name,
    tenant: string | null,
    { limit, after = '' }: { readonly limit: number; readonly after?: string | undefined },
    isWanted: (record: RecordTypes[Name]) => boolean = () => true,
  ): Page<RecordTypes[Name]> {
    const nameOf = ({ names }: AccessEntry<unknown>): string => names.slice(tenant === null ? 0 : 1).join('/');
    // The first names, kept in one pass: sorting a million of them would stop the node for seconds.
    const first: { readonly name: string; readonly entry: AccessEntry<RecordTypes[Name]> }[] = [];
    for (const entry of this.directory.list(kind, tenant ?? undefined)) {
      const name = nameOf(entry);
      if (name <= after || (first.length > limit && name > first.at(-1)!.name) || !isWanted(entry.record)) continue;
      const at = first.findIndex((each) => each.name > name);
      first.splice(at < 0 ? first.length : at, 0, { name, entry });
      if (first.length > limit + 1) first.pop();
    }
    const entries = first.slice(0, limit).map(({ entry }) => entry);
    return first.length <= limit ? { entries } : { entries, next: first[limit - 1]!.name };
  }

  /**
   * @returns the revision of the record, which is its ETag
   * @throws ServiceError invalidRequest, preconditionFailed, storageUnavailable, storageFull, draining
   */
  put<Name extends KindName>(
    kind: Name,
    names: readonly string[],
    record: RecordTypes[Name],
    expected: Expected,
  ): Promise<number> {
    const before = expected === undefined ? (this.find(kind, names)?.revision ?? null) : expected;
    return before === null ? this.writer.create(kind, names, record) : this.writer.update(kind, names, record, before);
  }

  /** @throws ServiceError noRecord, preconditionFailed, storageUnavailable, draining */
  async remove(kind: KindName, names: readonly string[], expected: Expected): Promise<void> {
    const { revision } = this.get(kind, names);
    await this.writer.delete(kind, names, expected ?? revision);
  }
}
