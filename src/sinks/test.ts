import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Administration } from '../directory/administration.js';
import { RecordFault } from '../directory/records/record-reader.js';
import type { JsonObject } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { reasonOf } from '../telemetry/reason.js';
import type { StoredSettings } from './sink-kind.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';
import type { TestedSink } from './sinks.openapi.js';
import { WebhookKind, type OpenEndpoint } from './webhook.sink.js';
import { verdictOf } from './webhooks/answer.js';
import { CLIENT_LIMITS, RefusedUrl } from './webhooks/endpoint-client.js';
import { signedHeaders } from './webhooks/signature.js';

/** Milliseconds for the whole request: somebody waits for the answer. */
const TEST_MS = 5_000;

/** Sends one event to the endpoint of a webhook while the caller waits, from this node, also while the sink is paused. */
@Injectable()
export class TestSink {
  constructor(
    private readonly administration: Administration,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Sends it once, whatever becomes of it. The breaker of the sink neither stops it nor counts it: a test is asked for
   * when the endpoint was mended.
   * @param names tenant, and the name of the sink
   * @throws ServiceError noRecord; invalidRequest for another kind, and for settings that this node does not allow
   */
  async test(names: readonly [string, string]): Promise<TestedSink> {
    const [tenant, sink] = names;
    const { clock } = this;
    const endpoint = this.#open(names);
    const at = clock.now();
    const id = `evt_test_${randomUUID()}`;
    const timestamp = new Date(at).toISOString();
    const body = JSON.stringify({ type: 'sink.test', timestamp, data: { tenant, sink } });
    const began = clock.monotonic();
    const lasted = (): number => Math.round(clock.monotonic() - began);
    try {
      const answer = await endpoint.post(body, signedHeaders(endpoint.keys(), { id, at, body }));
      const { kind, ...verdict } = verdictOf(answer, at);
      const error = kind === 'delivered' ? null : 'reason' in verdict ? verdict.reason : 'status 410: no more webhooks';
      return { event: id, delivered: error === null, status: answer.status, durationMs: lasted(), error };
    } catch (error) {
      return { event: id, delivered: false, status: null, durationMs: lasted(), error: reasonOf(error) };
    } finally {
      endpoint.close();
    }
  }

  #open(names: readonly [string, string]): OpenEndpoint {
    const { record } = this.administration.get('sink', names);
    const kind = this.means.kinds.get(record.kind);
    if (!(kind instanceof WebhookKind))
      throw refused(`A sink of the kind ${record.kind} takes no test event; GET it, and see whether its owners are ok`);
    const [tenant, sink] = names;
    const limits = { ...CLIENT_LIMITS, connectMs: TEST_MS, totalMs: TEST_MS };
    let stored: StoredSettings;
    try {
      stored = { settings: JSON.parse(record.settings) as JsonObject, secrets: this.means.secrets.read(record) };
    } catch {
      throw refused('The settings of the sink cannot be read by this node; PUT them again');
    }
    try {
      return kind.endpoint(stored, { tenant, sink, clock: this.clock }, limits);
    } catch (error) {
      if (error instanceof RecordFault || error instanceof RefusedUrl) throw refused(error.message);
      throw error;
    }
  }
}

const refused = (detail: string): ServiceError => new ServiceError('invalidRequest', detail);
