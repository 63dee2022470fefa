import type { RouteGuard } from '../access/route-guard.js';
import { ALL_ROUTES } from '../access/route-guard.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { kindOf } from '../directory/access-records.js';
import type { Logger } from '../telemetry/logger.js';
import { CompiledLists } from './compiled-lists.js';

/** Lets nothing through but probes of health: before the first state, and for a record that cannot be read. */
const CLOSED = new CompiledLists(kindOf('routeLists').closed([]));

/** The route lists of the directory, compiled anew with each change of them. */
export class LiveRouteLists implements RouteGuard {
  #lists: RouteGuard = CLOSED;

  constructor(
    private readonly directory: AccessDirectory,
    private readonly logger: Logger,
  ) {
    directory.onChange((change) => {
      if (change === 'all' || change.kind === 'routeLists') this.#lists = this.#compiled();
    });
  }

  admits(...asked: Parameters<RouteGuard['admits']>): boolean {
    return this.#lists.admits(...asked);
  }

  #compiled(): RouteGuard {
    const entry = this.directory.get('routeLists');
    if (entry === null) return ALL_ROUTES;
    try {
      return new CompiledLists(entry.record);
    } catch (err) {
      // Written by another version of the service; this one checks before it stores.
      this.logger.error({ err }, 'the route lists cannot be read, and every route is closed');
      return CLOSED;
    }
  }
}
