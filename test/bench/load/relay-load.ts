import { DeviceLoop, type Conversation, type DeviceLoopOptions } from './device-loop.js';

const OWN = 2;
/** Bytes of the mean of an update of `update-load.ts` and its `accepted`. */
const BYTES = 345;
const PAYLOAD = 'x'.repeat(BYTES);

/**
 * The bytes of an update with no work between them: each device publishes to a topic that it reads itself. A broker takes one
 * PUBLISH and sends one PUBACK and one PUBLISH.
 */
export function openRelayLoad(options: DeviceLoopOptions & { readonly qos?: 0 | 1 }): Promise<DeviceLoop> {
  return DeviceLoop.open(relaying(options.qos ?? 0), options);
}

function relaying(qos: 0 | 1): Conversation {
  // As long as the topic of an update.
  const topic = (name: string): string => `bare/things/${name}/shadow/update`;
  return {
    qos,
    parts: OWN,
    topic,
    filters: (name) => [topic(name)],
    payload: () => PAYLOAD,
    opening: () => null,
    part: () => OWN,
  };
}
