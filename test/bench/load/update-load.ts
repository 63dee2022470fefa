import { DeviceLoop, type Conversation, type DeviceLoopOptions } from './device-loop.js';

const ACCEPTED = 2;
const DOCUMENTS = 4;
const D = 'd'.charCodeAt(0);
const S = 's'.charCodeAt(0);

export interface UpdateLoadOptions extends DeviceLoopOptions {
  /** Of the subscriptions; 0 unless told. */
  readonly qos?: 0 | 1;
  /** Whether each device reads its `documents` too, and waits for it. */
  readonly documents?: boolean;
}

const reading = (name: string, n: number): string =>
  `{"state":{"reported":{"count":${n},"temperature":${20 + (n % 50) / 10},"humidity":41,"door":"closed","online":true,"firmware":"1.4.2","signal":-67}},"clientToken":"${name}-${n}"}`;

/** Devices that update their own shadow; every tenth has a standing delta: a desired value that nobody reports. */
export function openUpdateLoad(options: UpdateLoadOptions): Promise<DeviceLoop> {
  return DeviceLoop.open(updating(options), options);
}

function updating({ qos = 0, documents = false }: UpdateLoadOptions): Conversation {
  const kinds = ['accepted', 'rejected', 'delta', ...(documents ? ['documents'] : [])];
  const topic = (name: string): string => `$aws/things/${name}/shadow/update`;
  return {
    qos,
    parts: documents ? ACCEPTED | DOCUMENTS : ACCEPTED,
    topic,
    filters: (name) => kinds.map((kind) => `${topic(name)}/${kind}`),
    payload: reading,
    opening: (i) => (i % 10 === 0 ? '{"state":{"desired":{"mode":"eco"}}}' : null),
    part(tail, packet, at) {
      if (tail === S) return DOCUMENTS;
      if (tail !== D) return 0;
      // accepted and rejecte_d_ end alike; only one begins its payload with the code.
      if (packet.toString('latin1', at, at + 7) === '{"code"') throw new Error(packet.toString('utf8', at));
      return ACCEPTED;
    },
  };
}
