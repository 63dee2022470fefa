import type { Breakers } from '../breakers/breakers.js';
import type { Config } from '../config/config.js';
import { natsKind } from './nats.sink.js';
import { WebhookKind } from './webhook.sink.js';
import type { SinkKind } from './sink-kind.js';

/** All kinds of sinks, by their names. No errors. */
export function sinkKinds({ sinks: { hosts, addresses } }: Config, breakers: Breakers): ReadonlyMap<string, SinkKind> {
  return new Map([natsKind(hosts), new WebhookKind(addresses, breakers)].map((kind) => [kind.name, kind]));
}
