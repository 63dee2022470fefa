import type { PacketWriter } from '../packets/packet-writer.js';
import { REASON } from '../packets/reason-codes.js';
import type { Chained } from './chain.js';

/** A packet that answers one of the client's. Replies leave in their order, before messages. */
export abstract class Reply implements Chained {
  next: Chained | null = null;
  /** When what it answers came, in milliseconds of the monotonic clock; 0: nobody wants to know. */
  since = 0;
  /** Of the trace that is kept of what it answers; null: none is. */
  traceId: string | null = null;

  abstract write(writer: PacketWriter): void;
}

/** A reply that is rare enough for a function of its own. */
export class OtherReply extends Reply {
  constructor(private readonly encode: (writer: PacketWriter) => void) {
    super();
  }

  write(writer: PacketWriter): void {
    this.encode(writer);
  }
}

export function pong(): Reply {
  return new OtherReply((writer) => void writer.pingresp());
}

/** There is no QoS 2 here, so a PUBREC belongs to nothing. */
export function unknownPubrec(id: number): Reply {
  return new OtherReply((writer) => void writer.pubrel(id, REASON.packetIdentifierNotFound));
}

export function unknownPubrel(id: number): Reply {
  return new OtherReply((writer) => void writer.pubcomp(id, REASON.packetIdentifierNotFound));
}
