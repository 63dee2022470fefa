import type { IKeyValue } from 'etcd3';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import type { Position } from '../../position.js';
import type { ShadowRecord } from '../../shadow-store.js';
import { decodeRecord, type EtcdRecord } from '../codec.js';
import { parseKey } from '../keys.js';

/** Foreign keys that the log names, once each; more would not help an operator. */
const MAX_NAMED = 1_000;

/**
 * Called with each value below the shadow prefix that the feed sees, and the position that stored it. Returns its record,
 * and may settle an own write that etcd has not answered yet.
 * @throws Error when the value is not a shadow record
 */
export type OnStored = (key: string, value: Buffer, at: Position) => EtcdRecord;

/** Turns the values below the shadow prefix into records. Other programs can write there too; that never stops a feed. */
export class RecordDecoder {
  readonly #named = new Set<string>();
  /** The key that feeds write to see their own progress. */
  readonly marker: string;

  constructor(
    private readonly prefix: string,
    private readonly logger: Logger,
    private readonly onStored: OnStored = (_key, value) => decodeRecord(value),
  ) {
    this.marker = `${prefix}shadows/marker`;
  }

  /** The record; null, with a line in the log, for a value that is not a record. It never throws. */
  decode(kv: IKeyValue, { cluster, epoch }: Omit<Position, 'revision'>): ShadowRecord | null {
    const name = kv.key.toString();
    if (name === this.marker) return null;
    try {
      const key = parseKey(this.prefix, name);
      if (!key) throw new Error('not the key of a shadow');
      const position = { cluster, epoch, revision: Number(kv.mod_revision) };
      const { state, change, bytes } = this.onStored(name, kv.value, position);
      return { key, state, change, position, bytes };
    } catch (error) {
      this.#report(name, kv.mod_revision, error);
      return null;
    }
  }

  #report(key: string, revision: string, error: unknown): void {
    if (this.#named.size >= MAX_NAMED || this.#named.has(key)) return;
    this.#named.add(key);
    this.logger.warn({ key, revision, reason: reasonOf(error) }, 'skipped a value in etcd that is not a shadow record');
  }
}
