import type { Logger } from '../../../telemetry/logger.js';
import type { AuthorizeSubscribeHandler } from '../aedes/aedes-hooks.js';
import type { AedesClient, ParsedPacket } from '../aedes/aedes-parts.js';
import { canMatchShadowTopic } from '../subscriptions/topic-filter.js';

/** Filters in one SUBSCRIBE; AWS takes 8. More end the connection. */
const MAX_FILTERS = 64;
/** Filters of one connection; AWS takes 50. More are refused in the SUBACK. */
const MAX_SUBSCRIPTIONS = 1000;

/** What clients may subscribe to: filters that can match a shadow topic. Others fail in the SUBACK, each on its own. */
export class SubscribeGate {
  readonly #granted = new WeakSet<object>();
  /** Granted filters that aedes has not noted yet: it stores those of a session first. */
  readonly #pending = new WeakMap<AedesClient, Set<string>>();

  constructor(private readonly logger: Logger) {}

  /** Whether this very entry of a SUBSCRIBE was granted: sessions keep no others. */
  readonly isGranted = (subscription: object): boolean => this.#granted.has(subscription);

  /** The `authorizeSubscribe` of aedes. */
  readonly decide: AuthorizeSubscribeHandler = (anyClient, subscription, done) => {
    const client = anyClient as AedesClient;
    const allowed = canMatchShadowTopic(subscription.topic) && this.#hasRoom(client, subscription.topic);
    if (allowed) this.#granted.add(subscription);
    else this.logger.info({ clientId: client.id }, 'subscription refused');
    done(null, allowed ? subscription : null);
  };

  /** Looks at each packet before aedes does. */
  watch(client: AedesClient): void {
    // aedes reads and writes members of this object by filter.
    client.subscriptions = Object.create(null) as AedesClient['subscriptions'];
    client._parser.prependListener('packet', (packet: ParsedPacket) => this.#inspect(client, packet));
  }

  #hasRoom(client: AedesClient, filter: string): boolean {
    const pending = this.#pending.get(client) ?? new Set();
    this.#pending.set(client, pending);
    for (const each of pending) if (each in client.subscriptions) pending.delete(each);
    if (filter in client.subscriptions || pending.has(filter)) return true;
    if (Object.keys(client.subscriptions).length + pending.size >= MAX_SUBSCRIPTIONS) return false;
    pending.add(filter);
    return true;
  }

  #inspect(client: AedesClient, packet: ParsedPacket): void {
    if (packet.cmd !== 'subscribe' || packet.subscriptions === undefined) return;
    if (packet.subscriptions.length > MAX_FILTERS) {
      this.logger.info({ clientId: client.id, reason: 'too-many-filters' }, 'connection closed');
      // aedes ends the connection for a command that it does not know.
      packet.cmd = 'refused';
      return;
    }
    for (const subscription of packet.subscriptions) {
      // There is no QoS 2 here: the highest that can be granted is 1 (MQTT-3.9.3).
      if (subscription.qos === 2) subscription.qos = 1;
      // aedes collects filters as members of a plain object, where this one would replace the prototype.
      if (subscription.topic === '__proto__') subscription.topic = 'refused/__proto__';
    }
  }
}
