import { type Acknowledgement, readAcknowledgement, readAuth, readDisconnect } from './acknowledgements.js';
import { readConnect, readLevel } from './connect.js';
import { Fields, malformed, protocolError } from './fields.js';
import type { PacketHandler, ProtocolLevel } from './packet.js';
import { TYPE } from './packet-types.js';
import { IncomingPublish } from './publish.js';
import { readSubscribe, readUnsubscribe } from './subscribe.js';

export interface ParserOptions {
  /** Filters in one SUBSCRIBE or UNSUBSCRIBE; more are refused with 0x97 (quota exceeded). */
  readonly maxFilters: number;
  /** The Topic Alias Maximum that CONNACK announces; 0: aliases are refused. */
  readonly topicAliasMaximum: number;
  /** Is told of each packet, before it is checked: the number of its type. */
  readonly received?: (type: number) => void;
}

const ANY = -1;
/** Only servers send it, or nobody. */
const NEVER = -2;
/** Flags of the fixed header by packet type (MQTT-2.1.3-1; of MQTT 3.1.1: MQTT-2.2.2-1). */
const FLAGS = [NEVER, 0, NEVER, ANY, 0, 0, 2, 0, 2, NEVER, 2, NEVER, 0, NEVER, 0, 0];

/** Open only while one packet is parsed, which calls nobody: so all connections share it. */
const fields = new Fields();

/** Checks whole packets of one connection and hands them to its handler. */
export class PacketParser {
  level: ProtocolLevel | 0 = 0;
  /** Made by the first PUBLISH: most connections only listen. */
  #publish: IncomingPublish | null = null;

  constructor(
    private readonly handler: PacketHandler,
    private readonly options: ParserOptions,
  ) {}

  /**
   * What the first byte of a packet tells by itself.
   *
   * @throws ProtocolError
   */
  checkFirstByte(first: number): void {
    const type = first >> 4;
    // MQTT-3.1.0-1, MQTT-3.1.0-2
    if (this.level === 0 && type !== TYPE.connect) throw protocolError('the first packet is not CONNECT');
    if (this.level !== 0 && type === TYPE.connect) throw protocolError('there is a second CONNECT');
    const flags = FLAGS[type] as number;
    if (flags === ANY) return;
    if (type === 0 || (type === TYPE.auth && this.level === 4)) throw malformed(`${type} is no packet type`);
    if (flags === NEVER) throw protocolError(`only a server sends packets of type ${type}`);
    if ((first & 0x0f) !== flags) throw malformed(`the flags of a packet of type ${type} are wrong`);
  }

  /**
   * Calls the handler.
   *
   * @param padded whether the remaining length took more bytes than needed
   * @throws ProtocolError
   */
  parse(first: number, buffer: Buffer, at: number, end: number, padded: boolean): void {
    fields.open(buffer, at, end);
    this.options.received?.(first >> 4);
    const { level } = this;
    if (level === 0) return this.#parseConnect(padded);
    if (padded && level === 5) throw paddedLength();
    if (first >> 4 !== TYPE.publish) return this.#parseOther(first >> 4, level);
    const publish = (this.#publish ??= new IncomingPublish());
    publish.read(fields, first & 0x0f, level, this.options.topicAliasMaximum);
    this.handler.publish(publish);
  }

  /** Lets go of the read buffer. */
  forget(): void {
    this.#publish?.forget();
  }

  #parseConnect(padded: boolean): void {
    const level = readLevel(fields);
    this.level = level;
    if (padded && level === 5) throw paddedLength();
    this.handler.connect(readConnect(fields, level));
  }

  #parseOther(type: number, level: ProtocolLevel): void {
    const { handler } = this;
    switch (type) {
      case TYPE.puback:
      case TYPE.pubrec:
      case TYPE.pubrel:
      case TYPE.pubcomp:
        return this.#parseAcknowledgement(type, level);
      case TYPE.subscribe:
        return handler.subscribe(readSubscribe(fields, level, this.options.maxFilters));
      case TYPE.unsubscribe:
        return handler.unsubscribe(readUnsubscribe(fields, level, this.options.maxFilters));
      case TYPE.pingreq:
        fields.expectEnd();
        return handler.pingreq();
      case TYPE.disconnect:
        return handler.disconnect(readDisconnect(fields, level));
      default:
        return handler.auth(readAuth(fields));
    }
  }

  #parseAcknowledgement(type: Acknowledgement, level: ProtocolLevel): void {
    const { handler } = this;
    const id = fields.packetIdentifier();
    const reason = readAcknowledgement(fields, type, level);
    if (type === TYPE.puback) handler.puback(id, reason);
    else if (type === TYPE.pubrec) handler.pubrec(id, reason);
    else if (type === TYPE.pubrel) handler.pubrel(id, reason);
    else handler.pubcomp(id, reason);
  }
}

/** MQTT-1.5.5-1; MQTT 3.1.1 has no such rule. */
function paddedLength(): Error {
  return malformed('the remaining length takes more bytes than it must');
}
