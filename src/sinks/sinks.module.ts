import { Module, type DynamicModule } from '@nestjs/common';
import { BREAKERS, type Breakers } from '../breakers/breakers.js';
import { CONFIG, type Config } from '../config/config.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { DeleteSinkController } from './delete.http.js';
import { DeleteSink } from './delete.js';
import { GetSinkController } from './get.http.js';
import { ListSinksController } from './list.http.js';
import { SINKS_PATH } from './sink-keys.js';
import { sinkKinds } from './sink-kinds.js';
import { SinkManager } from './sink-manager.js';
import { SINK_MEANS } from './sink-means.js';
import { SinkSecrets, type SecretBox } from './sink-secrets.js';
import { SinksHealth } from './sinks.health.js';
import { TestSinkController } from './test.http.js';
import { TestSink } from './test.js';
import { UpdateSinkController } from './update.http.js';
import { UpdateSink } from './update.js';

/** Outputs that get the changes of tenants. Administration comes from the global DirectoryModule. */
@Module({
  controllers: [GetSinkController, ListSinksController, UpdateSinkController, DeleteSinkController, TestSinkController],
})
export class SinksModule {
  static forRoot(keys: ClusterKeys, box: SecretBox): DynamicModule {
    const means = (config: Config, breakers: Breakers, logger: Logger) => ({
      keys: keys.under(SINKS_PATH),
      secrets: new SinkSecrets(box),
      kinds: sinkKinds(config, breakers, logger),
    });
    return {
      module: SinksModule,
      global: true,
      providers: [
        { provide: SINK_MEANS, inject: [CONFIG, BREAKERS, LOGGER], useFactory: means },
        ...[SinkManager, UpdateSink, DeleteSink, TestSink, SinksHealth],
      ],
      exports: [SinkManager, SINK_MEANS],
    };
  }
}
