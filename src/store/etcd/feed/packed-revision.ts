import type { Position } from '../../position.js';
import type { FeedBatch, FeedRecord, PackedBatch } from '../../shadow-feed.js';
import type { RecordDecoder } from './record-decoder.js';
import type { RawRevision } from './revision-assembler.js';
import { decodeWatchResponse } from './watch-response.js';

/** The puts of a revision as etcd sent them. */
export class PackedRevision implements PackedBatch {
  readonly #pieces: readonly Buffer[];

  /** @param size records that the decoder made of it */
  constructor(
    { pieces }: RawRevision,
    readonly size: number,
    readonly position: Position,
    private readonly decoder: RecordDecoder,
  ) {
    this.#pieces = pieces;
  }

  get bytes(): number {
    let bytes = 0;
    for (const { length } of this.#pieces) bytes += length;
    return bytes;
  }

  unpack(): FeedBatch {
    const records: FeedRecord[] = [];
    for (const piece of this.#pieces) {
      for (const event of decodeWatchResponse(piece).events) {
        const record = this.decoder.decodeAgain(event, this.position);
        if (record) records.push(record);
      }
    }
    return { position: this.position, records };
  }
}
