import { setTimeout as pause } from 'node:timers/promises';
import { isTombstone } from '../../../document/shadow-document.js';
import { StoredDocument } from '../../../document/stored-document.js';
import { ServiceError } from '../../../errors/service-error.js';
import { pauseAfter } from '../../../resilience/back-off.js';
import { changesDesired } from '../../exclusive-claims.js';
import type { Position } from '../../position.js';
import type { Changed, RequestOptions, ShadowKey, ShadowRecord } from '../../shadow-store.js';
import { GuardedLeaseGone, GuardFailed, type Transacted, type Transaction } from '../../transaction.js';
import type { FencedBy, FlatKey, RawRecord } from '../client/nested-txn.js';
import { encodeReads, TXN_PATH } from '../client/protobuf/txn-request.js';
import { decodeReads } from '../client/protobuf/txn-response.js';
import { recordText, withWrite, type EtcdRecord, type RecordFormat } from '../codec.js';
import { decodeStored } from './decode-stored.js';
import { commitFlat, MARGIN_MS, type FlatOutcome, type FlatWrite } from './flat-commit.js';
import { LeaseGone } from './group-commit.js';
import type { TenantClaims } from './known-claims.js';
import { settleDoubt } from './settle-doubt.js';
import type { TransactionParts } from './transactions.js';

/** Milliseconds between attempts that other nodes were faster than; on this one the turns keep others away. */
const PAUSES = { first: 1, longest: 32 };

/** What a shadow is changed from. */
interface Basis {
  /** null: there is none. */
  readonly record: EtcdRecord | null;
  /** mod_revision of its key; 0: the key does not exist. */
  readonly revision: number;
}

/** What one attempt stores. */
interface Attempt {
  readonly basis: readonly Basis[];
  /** In the order of the shadows; null: it is only compared. */
  readonly records: readonly (EtcdRecord | null)[];
  readonly keys: readonly FlatKey[];
  /** The last of the keys; undefined: no `desired` is written. */
  readonly turn: TenantClaims | undefined;
}

type Lost = Extract<FlatOutcome, { kind: 'lost' }>;

export interface TxnKeys {
  /** Of the shadows in etcd, in the order of the transaction. */
  readonly shadows: readonly string[];
  /** Of the guarded keys in etcd, in the order of the transaction. */
  readonly guarded: readonly string[];
  readonly fence: FencedBy | undefined;
}

/**
 * One transaction that has its turn in the line of each of its shadows: guess, compute, one Txn with all guards, and
 * once more on the values that it lost to. Its members share a write id.
 */
export class MultiShadowTxn {
  /** Of the tombstones of the attempt under way. */
  readonly #leases = new Set<string>();
  #hasRenewed = false;

  constructor(
    private readonly parts: TransactionParts,
    private readonly transaction: Transaction,
    private readonly keys: TxnKeys,
    private readonly options: RequestOptions,
  ) {}

  /** @throws as ShadowStore.transact */
  async run(): Promise<Transacted> {
    const guess = this.#guess();
    let basis = guess ?? (await this.#read());
    // Whether all of it was read at one revision, for this transaction: then an error computed on it is final.
    let isFresh = guess === null;
    let lost = 0;
    for (;;) {
      // Another node may have made this change since: computing it again would undo later changes.
      if (this.options.signal?.aborted) throw new ServiceError('fenced');
      const made = this.#compute(basis, isFresh);
      if (made !== 'refused') {
        const attempt = await this.#prepare(basis, made);
        const outcome = attempt === null ? 'again' : await this.#commit(attempt);
        if (outcome === 'again') continue;
        if ('records' in outcome) return outcome;
        basis = this.#take(outcome.current);
        await this.#pause(++lost);
      } else {
        basis = await this.#read();
      }
      isFresh = true;
    }
  }

  /** Jitter lets one of two nodes that change the same shadows be faster. @throws ServiceError tooManyRequests */
  async #pause(lost: number): Promise<void> {
    const left = this.options.deadline - this.parts.clock.monotonic();
    if (left <= MARGIN_MS) throw new ServiceError('tooManyRequests', `others changed the shadows in ${lost} attempts`);
    if (lost > 1) await pause(Math.min(pauseAfter(lost - 2, PAUSES), left));
  }

  /** null: not every shadow is held. */
  #guess(): readonly Basis[] | null {
    const guess: Basis[] = [];
    for (const key of this.keys.shadows) {
      const held = this.parts.cache.get(key);
      if (!held) return null;
      guess.push(held);
    }
    return guess;
  }

  #compute(basis: readonly Basis[], isFresh: boolean): readonly (Changed | null)[] | 'refused' {
    try {
      return this.transaction.change(basis.map(({ record }) => record?.state ?? null));
    } catch (error) {
      if (error instanceof ServiceError && !isFresh) return 'refused';
      throw error;
    }
  }

  /** The shadows at one revision. @throws GuardFailed, ServiceError fenced: they come before an error of the change */
  async #read(): Promise<readonly Basis[]> {
    try {
      return this.#take((await this.#fetch()).current);
    } catch (error) {
      if (error instanceof ServiceError || error instanceof GuardFailed) throw error;
      this.parts.logger.error({ err: error }, 'etcd rejects the reads of a transaction');
      throw new ServiceError('storageUnavailable');
    }
  }

  /** All keys as etcd has them, in one linearizable read. */
  async #fetch(): Promise<Pick<Lost, 'current' | 'position'>> {
    const { shadows, guarded, fence } = this.keys;
    const reads = [...shadows, ...guarded, ...(fence ? [fence.key] : [])].map((key) => ({ key, revision: null }));
    const answer = await this.parts.cluster.ask(TXN_PATH, encodeReads(reads), this.options.deadline);
    const { header, records } = decodeReads(answer, reads.length);
    return { current: records, position: this.parts.history.position(header) };
  }

  /**
   * What etcd has: shadows, guarded keys, fence. The shadows are kept as the guess of later writes.
   * @throws GuardFailed, ServiceError fenced, internal
   */
  #take(current: readonly (RawRecord | null)[]): readonly Basis[] {
    const { shadows, guarded, fence } = this.keys;
    const { cache, logger } = this.parts;
    const claim = current[shadows.length + guarded.length];
    if (fence && (claim?.revision ?? 0) !== fence.revision) throw new ServiceError('fenced');
    guarded.forEach((_, i) => {
      const { key, revision } = this.transaction.guarded![i]!;
      const found = current[shadows.length + i] ?? null;
      if (found?.revision === (revision ?? undefined)) return;
      throw new GuardFailed(key, found && { value: found.value.toString(), revision: found.revision });
    });
    return shadows.map((key, i) => {
      const found = current[i];
      if (!found) {
        cache.forget(key);
        return { record: null, revision: 0 };
      }
      const record = decodeStored(key, found.value, logger);
      cache.offer(key, record, found.revision);
      return { record, revision: found.revision };
    });
  }

  /** What the commit is to compare; undefined: no `desired` is written. @throws ServiceError as KnownClaims.admit */
  async #admit(basis: readonly Basis[], made: readonly (Changed | null)[]): Promise<TenantClaims | undefined> {
    const { keys } = this.transaction;
    const written = keys.filter((_, i) => {
      const changed = made[i] ?? null;
      return changed !== null && changesDesired(basis[i]!.record?.state ?? null, changed.state);
    });
    if (written.length === 0) return undefined;
    const things = [...new Set(written.map(({ thing }) => thing))];
    const { deadline } = this.options;
    return this.parts.claims.admit({ tenant: keys[0]!.tenant, things, fence: this.keys.fence, deadline });
  }

  /** @throws ServiceError storageFull, storageUnavailable, draining */
  async #prepare(basis: readonly Basis[], made: readonly (Changed | null)[]): Promise<Attempt> {
    const { ids, format, leases, guard } = this.parts;
    const { keys, guarded = [] } = this.transaction;
    const id = ids.next();
    const records: (EtcdRecord | null)[] = [];
    const flat: FlatKey[] = [];
    this.#leases.clear();
    if (guarded.some(({ put }) => put) || made.some((each) => each !== null)) guard.check();
    const turn = await this.#admit(basis, made);
    for (const [i, { record: before, revision }] of basis.entries()) {
      const changed = made[i] ?? null;
      const key = this.keys.shadows[i]!;
      if (changed === null) {
        records.push(null);
        flat.push({ key, guard: revision, put: null });
        continue;
      }
      const lease = isTombstone(changed.state) ? await leases.acquire(this.options.deadline) : undefined;
      if (lease !== undefined) this.#leases.add(lease);
      const record = toRecord(changed, withWrite(id, before?.writes ?? ''), format, keys[i]!);
      records.push(record);
      flat.push({ key, guard: revision, put: { value: record.text, lease } });
    }
    guarded.forEach(({ revision, put }, i) => {
      const value = put && { value: put.value(made), lease: put.lease };
      flat.push({ key: this.keys.guarded[i]!, guard: revision ?? 0, put: value ?? null });
    });
    const { fence } = this.keys;
    if (fence) flat.push({ key: fence.key, guard: fence.revision, put: null });
    if (turn) flat.push({ key: turn.key, guard: turn.revision, put: null });
    return { basis, records, keys: flat, turn };
  }

  /** The end of the attempt; `again`: nothing was written, and another attempt may be. */
  async #commit(attempt: Attempt): Promise<Transacted | Lost | 'again'> {
    let outcome: FlatOutcome;
    try {
      outcome = await this.#send(attempt);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.#renewLeases();
      return 'again';
    }
    if (outcome.kind === 'won') return this.#succeed(attempt, outcome.position);
    if (outcome.kind === 'unknown') throw new ServiceError('outcomeUnknown');
    if (outcome.kind === 'lost') this.#noteTurn(attempt, outcome);
    if (outcome.kind === 'lost' && !outcome.doubted) return outcome;
    if (outcome.kind === 'full') this.parts.guard.refused();
    const won = await this.#settle(attempt, outcome.kind === 'lost' ? outcome : null);
    if (won) return this.#succeed(attempt, won);
    if (outcome.kind === 'full') throw new ServiceError('storageFull');
    return outcome;
  }

  /** Perhaps an exclusive lease was taken since. */
  #noteTurn({ turn }: Attempt, { current }: Lost): void {
    if (turn && (current.at(-1)?.revision ?? 0) !== turn.revision) this.parts.claims.moved(turn);
  }

  async #send({ keys, records }: Attempt): Promise<FlatOutcome> {
    const { cache, watched, isClosed } = this.parts;
    const { shadows } = this.keys;
    const { deadline, signal } = this.options;
    // The watch delivers all members or none: one of them is enough to know.
    const first = records.findIndex((record) => record !== null);
    const told = new Promise<Position>((resolve) => {
      if (first >= 0) watched.set(shadows[first]!, { text: records[first]!.text, told: resolve });
    });
    records.forEach((record, i) => record && cache.expect(shadows[i]!, record));
    const write: FlatWrite = { keys, deadline, signal, told, isClosed };
    try {
      return await commitFlat(write, this.parts);
    } finally {
      if (first >= 0) watched.delete(shadows[first]!);
      records.forEach((record, i) => record && cache.unexpect(shadows[i]!));
    }
  }

  /**
   * The leases of tombstones, of which one has ended, are replaced.
   * @throws GuardedLeaseGone when it is not one of theirs
   */
  #renewLeases(): void {
    const hasOthers = this.transaction.guarded?.some(({ put }) => put?.lease !== undefined) === true;
    if (this.#leases.size === 0 || (hasOthers && this.#hasRenewed)) {
      throw new GuardedLeaseGone('the lease of a guarded key has ended');
    }
    this.#hasRenewed = true;
    for (const lease of this.#leases) this.parts.leases.forget(lease);
  }

  /**
   * Where the attempt was committed; null: it was not, and will not be.
   * @param lost null: a full etcd has rejected it, and may have applied it
   * @throws ServiceError outcomeUnknown. Every fault counts as that: no error may claim that it was not applied
   */
  async #settle({ records, keys }: Attempt, lost: Lost | null): Promise<Position | null> {
    const { reads, logger } = this.parts;
    const { deadline } = this.options;
    try {
      const { current, position } = lost ?? (await this.#fetch());
      const isWritten = records.some((record) => record !== null);
      if (!isWritten) return settleGuarded(keys, current, position);
      for (const [i, record] of records.entries()) {
        if (!record) continue;
        const { key, guard } = keys[i]!;
        const settled = await settleDoubt({ key, guard, deadline, writes: record.writes }, current[i] ?? null, reads);
        // All members were applied, or none.
        if (settled.kind === 'won') return { ...position, revision: settled.revision };
        if (settled.kind === 'lost') return null;
      }
    } catch (error) {
      logger.warn({ err: error }, 'a transaction in doubt could not be settled');
    }
    throw new ServiceError('outcomeUnknown');
  }

  #succeed({ basis, records }: Attempt, position: Position): Transacted {
    const { cache } = this.parts;
    const stored = this.transaction.keys.map((key, i): ShadowRecord | null => {
      const written = records[i] ?? null;
      if (written) cache.offer(this.keys.shadows[i]!, written, position.revision);
      const record = written ?? basis[i]!.record;
      if (!record) return null;
      const at = written ? position : { ...position, revision: basis[i]!.revision };
      return { key, state: record.state, change: record.change, position: at, bytes: record.bytes };
    });
    return { position, records: stored };
  }
}

function toRecord({ state: made, change }: Changed, writes: string, format: RecordFormat, key: ShadowKey): EtcdRecord {
  const state = isTombstone(made) ? made : StoredDocument.of(made);
  const text = recordText({ state, change, writes }, format);
  return { state, change, writes, text, bytes: Buffer.byteLength(text), key };
}

/**
 * The same for a transaction that writes no shadow: its values are unique, so that a guarded key tells.
 * @throws ServiceError outcomeUnknown when others have written over them
 */
function settleGuarded(
  keys: readonly FlatKey[],
  current: readonly (RawRecord | null)[],
  position: Position,
): Position | null {
  const put = keys.findIndex((key) => key.put !== null);
  const found = current[put];
  if (put < 0 || (found?.revision ?? 0) === keys[put]!.guard) return null;
  if (found?.value.toString() === keys[put]!.put!.value) return { ...position, revision: found.revision };
  throw new ServiceError('outcomeUnknown');
}
