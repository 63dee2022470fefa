import { createRequire } from 'node:module';
import protobuf from 'protobufjs';

/** Messages of etcd by protobufjs and etcd's own definitions, as etcd3 ships them: the yardstick of our own encoding. */
const definitions = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
const root = new protobuf.Root().loadSync(definitions, { keepCase: true });

/** The type of a message, such as `TxnRequest`. */
export const messageType = (name: string): protobuf.Type => root.lookupType(`etcdserverpb.${name}`);

/** The bytes of a message without the head of gRPC. */
export function encodeMessage(name: string, value: object): Buffer {
  const type = messageType(name);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

/** A message as etcd3 hands it out: 64-bit numbers and enums are strings, fields have the names of the definition. */
export function decodeMessage(name: string, bytes: Uint8Array): Record<string, unknown> {
  const type = messageType(name);
  return type.toObject(type.decode(bytes), { longs: String, enums: String, bytes: Buffer });
}
