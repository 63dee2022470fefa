import type { Principal } from '../../../access/principal.js';
import type { Acknowledgement } from '../../request-queue.js';
import type { RequestTopic } from '../../topics.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import { REASON } from '../packets/reason-codes.js';
import { Reply } from './reply.js';

/** A topic with what it stands for: clients say the same one again and again. */
export interface Route {
  readonly topic: string;
  /** null: it is no request. */
  readonly request: RequestTopic | null;
}

/** Who sent a request, and hears once how it ended. */
export interface RequestOwner {
  readonly clientId: string;
  readonly principal: Principal;
  settled(request: IncomingRequest, how: Acknowledgement): void;
  /** It has thrown as it heard that: whoever waits for an acknowledgement must not wait for ever. */
  fail(error: unknown): void;
}

/** Answers one request, and settles it once; never throws. */
export type RequestHandler = (request: IncomingRequest) => void;

/** One published message from its arrival to its PUBACK, which it writes itself. */
export class IncomingRequest extends Reply {
  outcome: Acknowledgement | null = null;

  constructor(
    readonly owner: RequestOwner,
    readonly route: Route,
    readonly payload: Buffer,
    readonly qos: 0 | 1,
    /** 0 with QoS 0. */
    readonly packetId: number,
  ) {
    super();
  }

  settle(how: Acknowledgement): void {
    if (this.outcome !== null) return;
    this.outcome = how;
    try {
      this.owner.settled(this, how);
    } catch (error) {
      this.owner.fail(error);
    }
  }

  write(writer: PacketWriter): void {
    writer.puback(this.packetId, this.outcome === 'unpublishable' ? REASON.notAuthorized : REASON.success);
  }
}
