import { Inject, Injectable } from '@nestjs/common';
import { Administration, type Expected } from '../directory/administration.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { forgetSink } from './sink-keys.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';

/** Deletes sinks, and what is kept of them. */
@Injectable()
export class DeleteSink {
  constructor(
    private readonly administration: Administration,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws ServiceError noRecord, preconditionFailed, storageUnavailable, draining */
  async delete(names: readonly [string, string], expected: Expected): Promise<void> {
    const { id } = this.administration.get('sink', names).record;
    await this.administration.remove('sink', names, expected);
    // Nodes that run it do the same when they have closed it; a paused one runs nowhere.
    await forgetSink(this.means.keys, id).catch((error: unknown) => {
      this.logger.warn({ sink: names.join('/'), reason: reasonOf(error) }, 'cursors of a deleted sink are left over');
    });
  }
}
