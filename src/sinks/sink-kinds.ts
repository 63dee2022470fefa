import type { Breakers } from '../breakers/breakers.js';
import type { Config } from '../config/config.js';
import type { Logger } from '../telemetry/logger.js';
import { natsKind } from './nats.sink.js';
import { redisKind } from './redis-streams.sink.js';
import type { SinkKind } from './sink-kind.js';
import { WebhookKind } from './webhook.sink.js';

/** All kinds of sinks, by their names. No errors. */
export function sinkKinds(
  { sinks: { hosts, addresses } }: Config,
  breakers: Breakers,
  logger: Logger,
): ReadonlyMap<string, SinkKind> {
  const kinds = [natsKind(hosts), redisKind(hosts), new WebhookKind(addresses, breakers, logger)];
  return new Map(kinds.map((kind) => [kind.name, kind]));
}
