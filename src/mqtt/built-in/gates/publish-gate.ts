import type { AuthorizePublishHandler } from '../aedes/aedes-hooks.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { AedesClient } from '../aedes/aedes-parts.js';
import { connectionOf, endConnection, REASON } from '../connection.js';
import type { Acknowledgement } from '../../request-queue.js';
import { MAX_TOPIC_BYTES, parseRequestTopic, type RequestTopic } from '../../topics.js';

export interface IncomingRequest {
  readonly client: AedesClient;
  readonly topic: string;
  readonly request: RequestTopic;
  readonly payload: Buffer;
  readonly qos: number;
}

/** Answers one request; never rejects. */
export type RequestHandler = (incoming: IncomingRequest) => Promise<Acknowledgement>;

/**
 * What clients may publish: requests. aedes waits for this before it sends the PUBACK, so a PUBACK says that the update
 * is committed.
 */
export class PublishGate {
  /** Set when the transport listens. */
  handle: RequestHandler = () => Promise.resolve('withheld');

  constructor(
    private readonly forward: (incoming: IncomingRequest) => void,
    private readonly logger: Logger,
  ) {}

  /** The `authorizePublish` of aedes; it also sees wills, which then act as requests. */
  readonly decide: AuthorizePublishHandler = (anyClient, packet, done) => {
    const client = anyClient as AedesClient | null;
    if (client === null) return done(new Error('a publish without a client'));
    const isWill = packet.cmd === undefined;
    if (packet.qos === 2 && !isWill) {
      this.logger.info({ clientId: client.id, topic: shown(packet.topic), reason: 'qos-2' }, 'publish refused');
      return endConnection(client, REASON.qosNotSupported, 'QoS 2 is not supported');
    }
    const request = parseRequestTopic(packet.topic);
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
    const incoming = request && { client, topic: packet.topic, request, payload, qos: packet.qos };
    connectionOf(client).requests.push(
      incoming ? () => this.handle(incoming) : () => Promise.resolve(this.#unpublishable(client, packet.topic)),
      (how) => {
        // The broker is closing: without a PUBACK the client sends it again to another node.
        if (how === 'unanswered') return;
        if (how === 'unpublishable') return done(new Error('publishing to this topic is not allowed'));
        if (how === 'withheld' && packet.qos > 0) return this.#withhold(client);
        if (incoming && request?.problem === null) this.forward(incoming);
        // A QoS 0 sender may have closed its connection already.
        if (!client.closed || isWill) done(null);
      },
    );
  };

  /** MQTT 5 gets PUBACK 135 and stays; MQTT 3.1.1 has no such answer, so aedes closes its connection, as AWS does. */
  #unpublishable(client: AedesClient, topic: string): Acknowledgement {
    this.logger.info({ clientId: client.id, topic: shown(topic), reason: 'no-request-topic' }, 'publish refused');
    return 'unpublishable';
  }

  #withhold(client: AedesClient): void {
    this.logger.warn({ clientId: client.id, reason: 'outcome-unknown' }, 'connection closed without PUBACK');
    endConnection(client, REASON.unspecified, 'outcome unknown');
  }
}

/** A topic for the log: one that is no request may be up to 64 KiB long. */
function shown(topic: string): string {
  return topic.slice(0, MAX_TOPIC_BYTES);
}
