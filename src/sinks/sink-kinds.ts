import type { Config } from '../config/config.js';
import { natsKind } from './nats.sink.js';
import type { SinkKind } from './sink-kind.js';

/** All kinds of sinks, by their names. No errors. */
export function sinkKinds({ sinks: { hosts } }: Config): ReadonlyMap<string, SinkKind> {
  return new Map([natsKind(hosts)].map((kind) => [kind.name, kind]));
}
