import { Module, type DynamicModule } from '@nestjs/common';
import { CLUSTER_KEYS } from './cluster-keys.js';
import { EtcdHealth } from './etcd.health.js';
import { SHADOW_FEED } from './shadow-feed.js';
import { SHADOW_STORE } from './shadow-store.js';
import { STORAGE, type Storage } from './storage.js';

/** Provides an open storage of any kind as the store and the feed, and registers its health. */
@Module({})
export class StoreModule {
  /** @param storage already open; the caller closes it */
  static forRoot(storage: Storage): DynamicModule {
    return {
      module: StoreModule,
      global: true,
      providers: [
        { provide: STORAGE, useValue: storage },
        { provide: SHADOW_STORE, useValue: storage.store },
        { provide: SHADOW_FEED, useValue: storage.feed },
        { provide: CLUSTER_KEYS, useValue: storage.clusterKeys ?? null },
        EtcdHealth,
      ],
      exports: [STORAGE, SHADOW_STORE, SHADOW_FEED, CLUSTER_KEYS],
    };
  }
}
