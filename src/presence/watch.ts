import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { CONFIG, type Config } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { Presence } from './presence.js';
import { PresenceWatch, type PresenceWatchParts } from './presence-watch.js';

export type PresenceReader = Pick<PresenceWatchParts, 'principal' | 'address' | 'asked'>;

/** Opens the streams of presence; the door only writes their events. */
@Injectable()
export class WatchPresence implements OnModuleDestroy {
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

  /** The doors begin to close, and wait for streams. */
  onModuleDestroy(): void {
    this.#isDraining = true;
    for (const watch of this.#open) watch.end('draining');
  }
}
