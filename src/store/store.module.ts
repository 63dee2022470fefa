import { Module, type DynamicModule } from '@nestjs/common';
import { CLUSTER_KEYS } from './cluster-keys.js';
import { SHADOW_FEED } from './shadow-feed.js';
import { SHADOW_STORE } from './shadow-store.js';
import { STORAGE, type Storage } from './storage.js';

/** Offers an opened storage, whichever it is, as the store and the feed that everything else asks for. */
@Module({})
export class StoreModule {
  /** @param storage opened; whoever opened it closes it */
  static forRoot(storage: Storage): DynamicModule {
    return {
      module: StoreModule,
      global: true,
      providers: [
        { provide: STORAGE, useValue: storage },
        { provide: SHADOW_STORE, useValue: storage.store },
        { provide: SHADOW_FEED, useValue: storage.feed },
        { provide: CLUSTER_KEYS, useValue: storage.clusterKeys ?? null },
      ],
      exports: [STORAGE, SHADOW_STORE, SHADOW_FEED, CLUSTER_KEYS],
    };
  }
}
