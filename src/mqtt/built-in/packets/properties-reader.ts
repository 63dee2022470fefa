import { type Fields, malformed, protocolError } from './fields.js';
import type { Properties } from './packet.js';
import { TYPE } from './packet-types.js';
import { type Kind, type Place, PROPERTIES, type Property, USER_PROPERTY } from './properties.js';
import { isTopicName } from './topic-names.js';

const BY_ID: readonly (Property | undefined)[] = Array.from({ length: USER_PROPERTY + 5 }, (_, id) =>
  PROPERTIES.find((property) => property.id === id),
);

/** @returns null when there are none, or only user properties that are skipped */
export function readProperties(fields: Fields, place: Place): Properties | null {
  const length = fields.variableByteInteger();
  if (length === 0) return null;
  if (length > fields.left) throw malformed('the properties are cut off');
  const packetEnd = fields.end;
  fields.end = fields.at + length;
  const properties = readAll(fields, place);
  fields.end = packetEnd;
  return properties;
}

function readAll(fields: Fields, place: Place): Properties | null {
  let properties: Properties | null = null;
  while (fields.left > 0) {
    const id = fields.variableByteInteger();
    if (id === USER_PROPERTY) {
      const name = fields.string();
      const value = fields.string();
      if (place !== TYPE.publish) continue;
      if (name === 'traceparent' || name === 'tracestate') properties = withTrace(properties ?? {}, name, value);
      continue;
    }
    const property = BY_ID[id];
    if (property === undefined || (property.places & (1 << place)) === 0)
      throw malformed(`property ${id} is not one of this packet`);
    properties ??= {};
    if (properties[property.name] !== undefined) throw protocolError(`property ${id} is given twice`);
    Object.assign(properties, { [property.name]: readValue(fields, property) });
  }
  return properties;
}

function withTrace(properties: Properties, name: 'traceparent' | 'tracestate', value: string): Properties {
  const before = properties[name];
  if (before === undefined) properties[name] = value;
  else properties[name] = name === 'traceparent' ? '' : `${before},${value}`;
  return properties;
}

function readValue(fields: Fields, { kind, id }: Property): number | string | Buffer {
  if (kind === 'string') return fields.string();
  if (kind === 'binary') return fields.binary();
  if (kind === 'topic') return readTopic(fields, id);
  const value = readNumber(fields, kind);
  if (kind === 'flag' && value > 1) throw protocolError(`property ${id} is neither 0 nor 1`);
  if (kind.startsWith('positive') && value === 0) throw protocolError(`property ${id} is 0`);
  return value;
}

/** A response topic has no wildcards (MQTT-3.3.2-14). */
function readTopic(fields: Fields, id: number): string {
  const topic = fields.string();
  if (!isTopicName(topic)) throw protocolError(`property ${id} is not a topic name`);
  return topic;
}

function readNumber(fields: Fields, kind: Kind): number {
  switch (kind) {
    case 'flag':
      return fields.byte();
    case 'uint16':
    case 'positiveUint16':
      return fields.uint16();
    case 'positiveVariable':
      return fields.variableByteInteger();
    default:
      return fields.uint32();
  }
}
