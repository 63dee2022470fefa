import { Module, type DynamicModule } from '@nestjs/common';
import { runsWithNode } from '../cluster/runs-with-node.js';
import { CONFIG, type Config } from '../config/config.js';
import { MqttModule } from '../mqtt/built-in/built-in.module.js';
import { MqttTransport } from '../mqtt/built-in/transport.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { ListNodesController } from './list.http.js';
import { NodeLoad } from './node-load.js';
import { Nodes } from './nodes.js';
import { ShedNodeController } from './shed.http.js';

/** Connections of all nodes. */
@Module({})
export class NodesModule {
  /** @param keys the cluster's own keys */
  static forRoot(keys: ClusterKeys): DynamicModule {
    const load = ({ nodeId: node }: Config, mqtt: MqttTransport, logger: Logger) =>
      new NodeLoad({
        ...{ keys, node, logger },
        count: () => mqtt.health.connections,
        isDraining: () => mqtt.isStopping,
        shed: (connections, withinMs) => mqtt.shed(connections, withinMs),
      });
    return {
      module: NodesModule,
      imports: [MqttModule],
      controllers: [ListNodesController, ShedNodeController],
      providers: [
        { provide: Nodes, useFactory: () => new Nodes(keys) },
        { provide: NodeLoad, inject: [CONFIG, MqttTransport, LOGGER], useFactory: load },
        runsWithNode(NodeLoad),
      ],
    };
  }
}
