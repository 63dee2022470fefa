import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { CONFIG, type Config } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { evenly } from '../resilience/evenly.js';
import { Presence } from './presence.js';
import { PresenceWatch, type PresenceWatchParts } from './presence-watch.js';

export type PresenceReader = Pick<PresenceWatchParts, 'principal' | 'address' | 'asked'>;

/** Opens the streams of presence; the door only writes their events. */
@Injectable()
export class WatchPresence {
  readonly #open = new Set<PresenceWatch>();
  #isDraining = false;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'watch'>,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    private readonly presence: Presence,
  ) {}

  /** Milliseconds between bookmarks of an idle stream. */
  get bookmarkMs(): number {
    return this.config.watch.bookmarkMs;
  }

  /** @throws ServiceError tooManyRequests, draining; storageUnavailable while the records are not read */
  watch(reader: PresenceReader): PresenceWatch {
    const { maxSubscriptions, maxQueued } = this.config.watch;
    if (this.#isDraining) throw new ServiceError('draining');
    if (!this.presence.isCurrent) throw new ServiceError('storageUnavailable');
    if (this.#open.size >= maxSubscriptions)
      throw new ServiceError('tooManyRequests', `this node serves ${maxSubscriptions} streams at most; try another`);
    const { known } = this.presence;
    const watch = new PresenceWatch({ ...reader, known, authorizer: this.authorizer, maxQueued });
    this.#open.add(watch);
    return watch;
  }

  /** To be called for every watch, once. No errors. */
  close(watch: PresenceWatch): void {
    watch.end('closed');
    this.#open.delete(watch);
  }

  /**
   * Opens none any more, and ends those that are open with `draining`, at an even rate over `withinMs` milliseconds after
   * the grace. The doors wait for them. No errors.
   */
  async endEvenly(graceMs: number, withinMs: number): Promise<void> {
    this.#isDraining = true;
    if (graceMs > 0 && this.#open.size > 0) await pause(graceMs);
    await evenly([...this.#open], withinMs, (watch) => watch.end('draining'));
  }
}
