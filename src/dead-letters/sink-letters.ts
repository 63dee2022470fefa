import { Inject, Injectable } from '@nestjs/common';
import { Administration } from '../directory/administration.js';
import type { JsonObject } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { ownKeys } from '../sinks/sink-keys.js';
import type { StoredSettings } from '../sinks/sink-kind.js';
import { SINK_MEANS, type SinkMeans } from '../sinks/sink-means.js';
import { WebhookKind } from '../sinks/webhook.sink.js';
import { DeadLetters } from '../sinks/webhooks/dead-letters.js';

/** A sink that has dead letters. */
export interface LetterSink {
  readonly letters: DeadLetters;
  readonly kind: WebhookKind;
  /**
   * Its settings with their secrets.
   * @throws ServiceError invalidRequest when this node cannot read them
   */
  readonly stored: () => StoredSettings;
}

/** Finds the dead letters of a sink, whichever node sends it, and also while it is paused. */
@Injectable()
export class SinkLetters {
  constructor(
    private readonly administration: Administration,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
  ) {}

  /**
   * @param names tenant, and the name of the sink
   * @throws ServiceError noRecord, invalidRequest for a kind without dead letters
   */
  of(names: readonly [string, string]): LetterSink {
    const { record } = this.administration.get('sink', names);
    const kind = this.means.kinds.get(record.kind);
    if (!(kind instanceof WebhookKind))
      throw new ServiceError(
        'invalidRequest',
        `A sink of the kind ${record.kind} has no dead letters: it never gives up`,
      );
    const stored = (): StoredSettings => {
      try {
        return { settings: JSON.parse(record.settings) as JsonObject, secrets: this.means.secrets.read(record) };
      } catch {
        throw new ServiceError(
          'invalidRequest',
          'The settings of the sink cannot be read by this node; PUT them again',
        );
      }
    };
    return { letters: new DeadLetters(ownKeys(this.means.keys, record.id)), kind, stored };
  }
}
