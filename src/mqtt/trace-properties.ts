import type { ChangeTrace } from '../document/shadow-document.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Attributes } from '../telemetry/request-trace.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';

/** One that was sent more than once is a list. */
type UserProperties = Readonly<Record<string, string | readonly string[]>>;

/** The user properties of MQTT 5 that stand for a trace, in both directions (W3C Trace Context). */
export function userPropertiesOf({ traceparent, tracestate }: ChangeTrace): Record<string, string> {
  return tracestate === '' ? { traceparent } : { traceparent, tracestate };
}

/** What the span of a publication says of the change. */
export function toldOf({ key, state, change, position }: ShadowRecord): Attributes {
  const { tenant, thing, name } = key;
  return {
    ...{ 'umbra.tenant': tenant, 'umbra.thing': thing, ...(name !== null && { 'umbra.shadow': name }) },
    ...{ 'umbra.version': state.version, 'umbra.revision': position.revision },
    // By the clock of the node that made it.
    'umbra.changed_at': new Date(change.at).toISOString(),
  };
}

/** What user properties say of a trace, as mqtt.js has them; null: nothing. */
export function traceHeadersOf(properties: UserProperties | undefined): TraceHeaders | null {
  const traceparent = properties?.['traceparent'];
  if (typeof traceparent !== 'string') return null;
  return { traceparent, tracestate: [properties?.['tracestate'] ?? ''].flat().join() };
}
