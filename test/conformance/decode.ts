import { PROPERTY, TYPE, type Version } from './wire.js';

/** What a server sent, as far as two servers can be compared by it. */
export type Event =
  | {
      readonly kind: 'connack';
      readonly session: boolean;
      readonly code: number;
      readonly properties: ReadonlyMap<number, unknown>;
    }
  | { readonly kind: 'suback' | 'unsuback'; readonly id: number; readonly codes: readonly number[] }
  | { readonly kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'; readonly id: number; readonly code: number }
  | {
      readonly kind: 'publish';
      readonly topic: string;
      readonly payload: string;
      readonly qos: number;
      readonly id: number;
      readonly dup: boolean;
      readonly retain: boolean;
    }
  | { readonly kind: 'pingresp' }
  | { readonly kind: 'disconnect'; readonly code: number }
  | { readonly kind: 'closed' }
  /** Nothing came in the time that every answer has. */
  | { readonly kind: 'silent' }
  /** The server itself broke a rule of the standard. */
  | { readonly kind: 'bad'; readonly why: string };

const P = PROPERTY;
const NAMES = ['', 'connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', '', 'suback', '', 'unsuback', '', 'pingresp', 'disconnect', 'auth'] as const; // prettier-ignore
/** Properties that a server may send in each packet (section 2.2.2.2). */
const ALLOWED: Readonly<Record<string, readonly number[]>> = {
  connack: [P.sessionExpiry, P.receiveMaximum, P.maximumQoS, P.retainAvailable, P.maximumPacketSize, P.assignedClientIdentifier, P.topicAliasMaximum, P.reasonString, P.userProperty, P.wildcardAvailable, P.subscriptionIdentifierAvailable, P.sharedAvailable, P.serverKeepAlive, P.responseInformation, P.serverReference, P.authenticationMethod, P.authenticationData], // prettier-ignore
  publish: [P.payloadFormat, P.messageExpiry, P.topicAlias, P.responseTopic, P.correlationData, P.userProperty, P.subscriptionIdentifier, P.contentType], // prettier-ignore
  disconnect: [P.reasonString, P.userProperty, P.serverReference],
};
const COMMON = [P.reasonString, P.userProperty];
const BYTES = new Set<number>([P.payloadFormat, P.maximumQoS, P.retainAvailable, P.wildcardAvailable, P.subscriptionIdentifierAvailable, P.sharedAvailable]); // prettier-ignore
const TWOS = new Set<number>([P.serverKeepAlive, P.receiveMaximum, P.topicAliasMaximum, P.topicAlias]);
const FOURS = new Set<number>([P.messageExpiry, P.sessionExpiry, P.maximumPacketSize]);
const TEXTS = new Set<number>([P.contentType, P.responseTopic, P.assignedClientIdentifier, P.authenticationMethod, P.responseInformation, P.serverReference, P.reasonString]); // prettier-ignore

const UTF8 = new TextDecoder('utf-8', { fatal: true });

class Body {
  #at = 0;
  constructor(readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  take(count: number): Buffer {
    if (count > this.left) throw new Error('cut off');
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  two(): number {
    return this.take(2).readUInt16BE();
  }

  four(): number {
    return this.take(4).readUInt32BE();
  }

  variable(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const next = this.byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
    throw new Error('a Variable Byte Integer of five bytes');
  }

  text(): string {
    return UTF8.decode(this.take(this.two()));
  }

  rest(): Buffer {
    return this.take(this.left);
  }

  properties(kind: string): Map<number, unknown> {
    const found = new Map<number, unknown>();
    const body = new Body(this.take(this.variable()));
    while (body.left > 0) {
      const id = body.variable();
      if (!(ALLOWED[kind] ?? COMMON).includes(id)) throw new Error(`property ${id} in ${kind}`);
      if (found.has(id) && id !== P.userProperty && id !== P.subscriptionIdentifier)
        throw new Error(`property ${id} twice`);
      found.set(id, body.#value(id));
    }
    return found;
  }

  #value(id: number): unknown {
    if (BYTES.has(id)) return this.byte();
    if (TWOS.has(id)) return this.two();
    if (FOURS.has(id)) return this.four();
    if (TEXTS.has(id)) return this.text();
    if (id === P.subscriptionIdentifier) return this.variable();
    if (id === P.userProperty) return [this.text(), this.text()];
    return this.take(this.two());
  }
}

/** Cuts what a server sends into packets and reads them strictly. */
export class Decoder {
  #rest: Buffer = Buffer.alloc(0);

  constructor(
    private readonly version: Version,
    private readonly tell: (event: Event) => void,
  ) {}

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const size = packetSize(this.#rest);
      if (size === null || size > this.#rest.length) return;
      const packet = this.#rest.subarray(0, size);
      this.#rest = this.#rest.subarray(size);
      try {
        this.tell(readPacket(packet, this.version));
      } catch (error) {
        this.tell({ kind: 'bad', why: `${(error as Error).message}: ${packet.subarray(0, 64).toString('hex')}` });
      }
    }
  }
}

/** Bytes of the packet at the start of `bytes`, or null while its length is not there. */
export function packetSize(bytes: Buffer): number | null {
  let length = 0;
  for (let i = 1; i <= 4; i++) {
    const next = bytes[i];
    if (next === undefined) return null;
    length += (next & 0x7f) * 128 ** (i - 1);
    if (next < 0x80) return 1 + i + length;
  }
  return bytes.length;
}

function readPacket(packet: Buffer, version: Version): Event {
  const first = packet[0] as number;
  const type = first >> 4;
  let start = 1;
  while ((packet[start] as number) >= 0x80) start++;
  const body = new Body(packet.subarray(start + 1));
  const flags = first & 0x0f;
  if (type !== TYPE.publish && flags !== (type === TYPE.pubrel ? 2 : 0)) throw new Error(`flags ${flags}`);
  const event = readBody(type, flags, body, version);
  if (body.left > 0) throw new Error(`${body.left} bytes too many`);
  return event;
}

function readBody(type: number, flags: number, body: Body, version: Version): Event {
  const kind = NAMES[type] ?? '';
  if (kind === 'connack') {
    const acknowledge = body.byte();
    if (acknowledge > 1) throw new Error(`acknowledge flags ${acknowledge}`);
    const code = body.byte();
    if (code !== 0 && acknowledge === 1) throw new Error('session present in a refusal');
    // A server that does not know the version of a CONNECT answers in the form of MQTT 3.1.1.
    const hasProperties = version === 5 && body.left > 0;
    return { kind, session: acknowledge === 1, code, properties: hasProperties ? body.properties(kind) : new Map() };
  }
  if (kind === 'publish') return readPublish(flags, body, version);
  if (kind === 'suback' || kind === 'unsuback') {
    const id = body.two();
    if (version === 5) body.properties(kind);
    return { kind, id, codes: [...body.rest()] };
  }
  if (kind === 'puback' || kind === 'pubrec' || kind === 'pubrel' || kind === 'pubcomp') {
    const id = body.two();
    const code = version === 5 && body.left > 0 ? body.byte() : 0;
    if (version === 5 && body.left > 0) body.properties(kind);
    return { kind, id, code };
  }
  if (kind === 'pingresp') return { kind };
  if (kind === 'disconnect' && version === 5) {
    const code = body.left > 0 ? body.byte() : 0;
    if (body.left > 0) body.properties(kind);
    return { kind, code };
  }
  throw new Error(`a server sent packet type ${type}`);
}

function readPublish(flags: number, body: Body, version: Version): Event {
  const qos = (flags >> 1) & 3;
  const dup = (flags & 8) !== 0;
  if (qos === 3 || (qos === 0 && dup)) throw new Error(`publish flags ${flags}`);
  const topic = body.text();
  if (/[+#\0]/.test(topic)) throw new Error('a topic with a wildcard or NUL');
  const id = qos > 0 ? body.two() : 0;
  if (qos > 0 && id === 0) throw new Error('packet identifier 0');
  if (version === 5) body.properties('publish');
  return { kind: 'publish', topic, payload: body.rest().toString(), qos, id, dup, retain: (flags & 1) === 1 };
}
