import type { PacketHandler, PublishPacket } from '../../src/mqtt/built-in/packets/packet.js';
import { PacketReader, type ReaderOptions } from '../../src/mqtt/built-in/packets/packet-reader.js';

/** A method of the handler and what it was called with, copied. */
export type Recorded = readonly [keyof PacketHandler, ...unknown[]];

export class RecordingHandler implements PacketHandler {
  readonly packets: Recorded[] = [];
  /** Called after each packet. */
  then: () => void = () => {};

  connect = this.#record('connect');
  puback = this.#record('puback');
  pubrec = this.#record('pubrec');
  pubrel = this.#record('pubrel');
  pubcomp = this.#record('pubcomp');
  subscribe = this.#record('subscribe');
  unsubscribe = this.#record('unsubscribe');
  pingreq = this.#record('pingreq');
  disconnect = this.#record('disconnect');
  auth = this.#record('auth');

  publish(packet: PublishPacket): void {
    const { topic, qos, retain, dup, id, properties } = packet;
    const payload = Buffer.from(packet.payload);
    this.packets.push(['publish', { topic, payload, qos, retain, dup, id, properties }]);
    this.then();
  }

  #record(name: keyof PacketHandler): (...all: unknown[]) => void {
    return (...all) => {
      this.packets.push([name, ...all]);
      this.then();
    };
  }
}

export const READER_OPTIONS: ReaderOptions = {
  maxPacketBytes: 4096,
  maxFilters: 8,
  topicAliasMaximum: 0,
  monotonic: () => performance.now(),
};

export function recordingReader(options: Partial<ReaderOptions> = {}): {
  readonly reader: PacketReader;
  readonly handler: RecordingHandler;
} {
  const handler = new RecordingHandler();
  return { handler, reader: new PacketReader(handler, { ...READER_OPTIONS, ...options }) };
}
