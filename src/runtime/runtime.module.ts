import { Module, type DynamicModule } from '@nestjs/common';
import { runsWithNode } from '../cluster/runs-with-node.js';
import { CONFIG, type Config } from '../config/config.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, type Metrics } from '../telemetry/metrics.js';
import { SAMPLER, type Sampler } from '../telemetry/sampling.js';
import { GetRuntimeController } from './get.http.js';
import { PromoteRuntimeController } from './promote.http.js';
import { RollbackRuntimeController } from './rollback.http.js';
import { RuntimeFollower } from './runtime-follower.js';
import { RuntimeSettings } from './runtime-settings.js';
import { RuntimeSwitch } from './runtime-switch.js';
import { UpdateRuntimeController } from './update.http.js';

const SETTINGS = {
  provide: RuntimeSettings,
  inject: [LOGGER, SAMPLER],
  useFactory: (logger: Logger, sampler: Sampler) => new RuntimeSettings(logger, sampler),
};

/** What can be changed while nodes run. */
@Module({})
export class RuntimeModule {
  /** @param keys the cluster's own keys; null: nobody administers this node, and it is as its environment says */
  static forRoot(keys: ClusterKeys | null): DynamicModule {
    const common = { module: RuntimeModule, global: true, exports: [RuntimeSettings] };
    if (keys === null) return { ...common, providers: [SETTINGS] };
    const follower = (settings: RuntimeSettings, config: Config, { node: metrics }: Metrics, logger: Logger) =>
      new RuntimeFollower({ keys, node: config.nodeId, settings, metrics, logger });
    const runtime = (config: Config, clock: Clock) => new RuntimeSwitch(keys, config.nodeId, clock);
    return {
      ...common,
      controllers: [
        ...[GetRuntimeController, UpdateRuntimeController],
        ...[PromoteRuntimeController, RollbackRuntimeController],
      ],
      providers: [
        SETTINGS,
        { provide: RuntimeSwitch, inject: [CONFIG, CLOCK], useFactory: runtime },
        { provide: RuntimeFollower, inject: [RuntimeSettings, CONFIG, METRICS, LOGGER], useFactory: follower },
        // While the node drains, too: one that says nothing holds every promotion up.
        runsWithNode(RuntimeFollower),
      ],
    };
  }
}
