import type { Surroundings } from '../access/authorizer.js';
import type { ContextValues } from './context-keys.js';

/** The resources that name a named shadow: of REST, and topics and filters of MQTT. */
const NAMED = /^(?:thing\/[^/]+|topic(?:filter)?\/\$aws\/things\/[^/]+\/shadow\/name)\/([^/]+)/;

/** What conditions may ask of one request, beside its caller. No errors. */
export function requestValues(action: string, resource: string, { connect }: Surroundings): ContextValues {
  const values: Record<string, string | readonly string[]> = {};
  const shadow = NAMED.exec(resource)?.[1];
  if (shadow !== undefined) values['umbra:ShadowName'] = shadow;
  if (action !== 'iot:Connect') return values;
  values['iot:ConnectAttributes'] = connect?.attributes ?? [];
  if (connect?.willTopic != null) values['iot:LastWillTopic'] = `topic/${connect.willTopic}`;
  return values;
}
