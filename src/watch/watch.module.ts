import { Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import { SHADOW_FEED, type ShadowFeed } from '../store/shadow-feed.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, type Metrics } from '../telemetry/metrics.js';
import { FeedHealth } from './feed.health.js';
import { WATCH_HUB, type WatchHub } from './subscription.js';
import { ShadowWatchHub } from './watch-hub.js';

/** One hub per node: one reader of the feed, many subscriptions. */
@Module({
  providers: [
    {
      provide: WATCH_HUB,
      inject: [SHADOW_FEED, CONFIG, LOGGER, METRICS],
      useFactory: (feed: ShadowFeed, config: Config, logger: Logger, metrics: Metrics) =>
        new ShadowWatchHub(feed, config.watch, logger, {}, metrics.feed),
    },
    FeedHealth,
  ],
  exports: [WATCH_HUB],
})
export class WatchModule implements OnApplicationBootstrap {
  constructor(
    @Inject(WATCH_HUB) private readonly hub: WatchHub,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Not awaited: a node starts without its etcd, and /health/ready says what the node waits for. */
  onApplicationBootstrap(): void {
    this.hub.start().catch((error: unknown) => this.logger.error({ err: error }, 'the watch hub could not start'));
  }
}
