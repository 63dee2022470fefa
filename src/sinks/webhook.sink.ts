import type { Breakers } from '../breakers/breakers.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { CheckedSettings, OpenSink, SettingsContext, SinkKind, SinkParts, StoredSettings } from './sink-kind.js';
import { ReachableAddresses } from './webhooks/addresses.js';
import type { Endpoint } from './webhooks/attempt.js';
import { DeadLetters } from './webhooks/dead-letters.js';
import { CLIENT_LIMITS, EndpointClient, type ClientLimits } from './webhooks/endpoint-client.js';
import { checkWebhook, signingKeys, webhookSettings } from './webhooks/settings.js';
import { WebhookSink } from './webhooks/webhook-sink.js';

/** Names an endpoint. */
type EndpointOwner = Pick<SinkParts, 'tenant' | 'sink' | 'clock'>;

/** An endpoint and its connections. */
export interface OpenEndpoint extends Endpoint {
  /** No errors. */
  close(): void;
}

/** Changes as signed requests to one URL. */
export class WebhookKind implements SinkKind {
  readonly name = 'webhook';
  readonly #reachable: ReachableAddresses;

  /**
   * @param addresses ranges to which requests may go although they are not public
   * @throws RangeError that names what is no range
   */
  constructor(
    addresses: readonly string[],
    private readonly breakers: Breakers,
    private readonly logger: Logger,
  ) {
    this.#reachable = new ReachableAddresses(addresses);
  }

  check(given: Readonly<Record<string, unknown>>, context: SettingsContext): CheckedSettings {
    return checkWebhook(given, context, this.#reachable);
  }

  open(stored: StoredSettings, parts: SinkParts): OpenSink {
    return new OpenWebhook(stored, parts, this);
  }

  /**
   * The endpoint of a sink, behind the breaker of its own.
   * @throws RecordFault, RefusedUrl for settings that this node does not allow
   */
  endpoint(stored: StoredSettings, owner: EndpointOwner, limits: ClientLimits = CLIENT_LIMITS): OpenEndpoint {
    const settings = webhookSettings(stored);
    const { tenant, sink, clock } = owner;
    const tell = (reason: string): void =>
      this.logger.warn({ sink: `${tenant}/${sink}`, reason }, 'a webhook cannot be sent to this address');
    const client = new EndpointClient(new URL(settings.url), this.#reachable, limits, tell);
    return {
      post: (body, headers) => client.post(body, headers),
      keys: () => signingKeys(settings, clock.now()),
      breaker: { run: (call) => this.breakers.of(dependencyOf(tenant, sink)).run(call) },
      clock,
      close: () => client.close(),
    };
  }

  /** The sink is not at work on this node any more. No errors. */
  forget({ tenant, sink }: EndpointOwner): void {
    this.breakers.drop(dependencyOf(tenant, sink));
  }
}

const dependencyOf = (tenant: string, sink: string): string => `webhook:${tenant}:${sink}`;

class OpenWebhook implements OpenSink {
  readonly #endpoint: OpenEndpoint;
  readonly #sink: WebhookSink;

  constructor(
    stored: StoredSettings,
    private readonly parts: SinkParts,
    private readonly kind: WebhookKind,
  ) {
    this.#endpoint = kind.endpoint(stored, parts);
    this.#sink = new WebhookSink({
      endpoint: this.#endpoint,
      deadLetters: new DeadLetters(parts.keys),
      onGone: (reason) => parts.pause(reason),
      isOwner: () => parts.isOwner(),
      giveUpMs: webhookSettings(stored).giveUpMs,
      logger: parts.logger,
    });
  }

  get health(): Health {
    return this.#sink.health;
  }

  deliver(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return this.#sink.deliver(record, reading);
  }

  converge(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return this.#sink.converge(record, reading);
  }

  async close(): Promise<void> {
    await this.#sink.close();
    this.#endpoint.close();
    this.kind.forget(this.parts);
  }
}
