import { Inject, Injectable } from '@nestjs/common';
import { RecordFault } from '../directory/records/record-reader.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { attempt, type Endpoint } from '../sinks/webhooks/attempt.js';
import type { StoredLetter } from '../sinks/webhooks/dead-letters.js';
import { CLIENT_LIMITS, RefusedUrl } from '../sinks/webhooks/endpoint-client.js';
import type { OpenEndpoint } from '../sinks/webhook.sink.js';
import type { Replayed } from './dead-letters.openapi.js';
import { SinkLetters, type LetterSink } from './sink-letters.js';

/** Letters of one request. */
export const MAX_REPLAY = 100;
/** Milliseconds after which no further letter is begun, and for each request: somebody waits for the answer. */
const REPLAY_MS = 5_000;

/** Sends dead letters again while the caller waits, from this node, whether or not it sends the sink. */
@Injectable()
export class ReplayDeadLetters {
  constructor(
    private readonly sinks: SinkLetters,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param names tenant, and the name of the sink
   * @param ids of letters; null: the oldest ones
   * @throws ServiceError noRecord, invalidRequest, overloaded, storageUnavailable, storageFull, draining
   */
  async replay(names: readonly [string, string], ids: readonly string[] | null): Promise<Replayed> {
    const [tenant, name] = names;
    const sink = this.sinks.of(names);
    const chosen = await this.#chosen(sink, ids);
    const endpoint = openEndpoint(sink, { tenant, sink: name, clock: this.clock });
    try {
      return await this.#send(sink, endpoint, chosen);
    } finally {
      endpoint.close();
    }
  }

  async #chosen({ letters }: LetterSink, ids: readonly string[] | null): Promise<readonly StoredLetter[]> {
    const all = await letters.list();
    if (ids === null) return all.slice(0, MAX_REPLAY);
    const missing = ids.find((id) => !all.some(({ letter }) => letter.id === id));
    if (missing !== undefined) throw new ServiceError('noRecord', `dead letter '${missing}'`);
    return all.filter(({ letter }) => ids.includes(letter.id));
  }

  async #send({ letters }: LetterSink, endpoint: Endpoint, chosen: readonly StoredLetter[]): Promise<Replayed> {
    const deadline = this.clock.monotonic() + REPLAY_MS;
    const failed: Replayed['failed'] = [];
    const stuck = new Set<string>();
    let replayed = 0;
    for (const stored of chosen) {
      const { id, thing, shadow, body } = stored.letter;
      const place = `${thing}/${shadow ?? ''}`;
      if (stuck.has(place)) continue;
      if (this.clock.monotonic() > deadline) break;
      const { verdict } = await attempt(endpoint, { id, body });
      if (verdict.kind === 'delivered') {
        await letters.remove([stored]);
        replayed++;
        continue;
      }
      const reason = verdict.kind === 'gone' ? 'status 410: the receiver wants nothing more' : verdict.reason;
      failed.push({ letter: id, reason });
      if (verdict.kind === 'gone' || verdict.isDown) break;
      stuck.add(place);
    }
    return { replayed, failed, left: chosen.length - replayed - failed.length };
  }
}

function openEndpoint({ kind, stored }: LetterSink, owner: Parameters<typeof kind.endpoint>[1]): OpenEndpoint {
  try {
    return kind.endpoint(stored(), owner, { ...CLIENT_LIMITS, connectMs: REPLAY_MS, totalMs: REPLAY_MS });
  } catch (error) {
    if (error instanceof RecordFault || error instanceof RefusedUrl)
      throw new ServiceError('invalidRequest', error.message);
    throw error;
  }
}
