import { Inject, Module, Optional, type DynamicModule } from '@nestjs/common';
import type { AccessControl } from './access-control.js';
import { AccessModule } from './access/access.module.js';
import { AuditModule } from './audit/audit.module.js';
import { AuthoritiesModule } from './authorities/authorities.module.js';
import { AuthModule } from './auth/auth.module.js';
import { BulkModule } from './bulk/bulk.module.js';
import { BreakersModule } from './breakers/breakers.module.js';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { DeadLettersModule } from './dead-letters/dead-letters.module.js';
import { DirectoryModule } from './directory/directory.module.js';
import { GrpcModule } from './grpc/grpc.module.js';
import { GrpcTransport } from './grpc/grpc-transport.js';
import { GroupsModule } from './groups/groups.module.js';
import { HealthModule } from './health/health.module.js';
import { HealthRegistry } from './health/health-registry.js';
import { IssuersModule } from './issuers/issuers.module.js';
import { KeysModule } from './keys/keys.module.js';
import { MqttModule } from './mqtt/built-in/built-in.module.js';
import { MqttTransport } from './mqtt/built-in/transport.js';
import { ExternalBrokerModule } from './mqtt/external/external.module.js';
import { ExternalTransport } from './mqtt/external/transport.js';
import { NodesModule } from './nodes/nodes.module.js';
import { PoliciesModule } from './policies/policies.module.js';
import { PresenceModule } from './presence/presence.module.js';
import { WatchPresence } from './presence/watch.js';
import { PrincipalsModule } from './principals/principals.module.js';
import { RevocationsModule } from './revocations/revocations.module.js';
import { SYSTEM_CLOCK, type Clock } from './resilience/clock.js';
import { RouteListsModule } from './route-lists/route-lists.module.js';
import { RuntimeModule } from './runtime/runtime.module.js';
import { ShadowModule } from './shadow/shadow.module.js';
import { SHADOW_PROTO } from './shadow/shadow-proto.js';
import { SinkManager } from './sinks/sink-manager.js';
import { SinksModule } from './sinks/sinks.module.js';
import { StoreModule } from './store/store.module.js';
import type { Storage } from './store/storage.js';
import type { Logger } from './telemetry/logger.js';
import type { Metrics } from './telemetry/metrics.js';
import type { Tracer } from './telemetry/tracer.js';
import { TenantsModule } from './tenants/tenants.module.js';
import { ThingsModule } from './things/things.module.js';
import { TokenPolicyModule } from './token-policy/token-policy.module.js';
import { TransactionsModule } from './transactions/transactions.module.js';
import { WATCH_HUB, type WatchHub } from './watch/subscription.js';
import { WatchModule } from './watch/watch.module.js';

export interface AppParts {
  readonly config: Config;
  readonly logger: Logger;
  /** Already open. The caller closes it. */
  readonly storage: Storage;
  readonly clock?: Clock;
  /** Those of the storage too; none: of the node alone. */
  readonly metrics?: Metrics;
  /** None: nothing is traced. */
  readonly tracer?: Tracer;
  /** Started already, and closed by the caller; none: the node has no authentication. */
  readonly access?: AccessControl | undefined;
}

/** The only list of modules, and the parts of them that the node starts and ends in order. */
@Module({})
export class AppModule {
  /** Absent without presence. */
  @Optional() @Inject(WatchPresence) readonly presence?: WatchPresence;

  constructor(
    @Inject(HealthRegistry) readonly health: HealthRegistry,
    @Inject(WATCH_HUB) readonly hub: WatchHub,
    @Inject(MqttTransport) readonly mqtt: MqttTransport,
    /** Absent without an external broker. */
    @Optional() @Inject(ExternalTransport) readonly external?: ExternalTransport,
    /** Absent without a port for gRPC. */
    @Optional() @Inject(GrpcTransport) readonly grpc?: GrpcTransport,
    /** Absent without authentication. */
    @Optional() @Inject(SinkManager) readonly sinks?: SinkManager,
  ) {}

  static forRoot({ config, logger, storage, access, clock = SYSTEM_CLOCK, metrics, tracer }: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config, logger, clock, metrics, tracer),
        AccessModule.forRoot(access),
        RuntimeModule.forRoot(access?.keys ?? null),
        ...(storage.clusterKeys ? [NodesModule.forRoot(storage.clusterKeys)] : []),
        HealthModule,
        StoreModule.forRoot(storage),
        WatchModule,
        MqttModule,
        ...(access === undefined ? [] : administration(access)),
        ...(config.externalBroker === null ? [] : [ExternalBrokerModule]),
        ...(config.presence.isOn && storage.clusterKeys ? [PresenceModule] : []),
        ...(config.grpc.port === null && config.grpc.tlsPort === null ? [] : [GrpcModule.forRoot(SHADOW_PROTO)]),
        ShadowModule,
        TransactionsModule,
        BulkModule,
        ThingsModule,
      ],
    };
  }
}

/** The rooms that only a node with authentication has. */
function administration(access: AccessControl): DynamicModule['imports'] & {} {
  const { directory, writer, authorizer, audit, trust, registrationCodes, breakers } = access;
  return [
    BreakersModule.forRoot(breakers),
    DirectoryModule.forRoot(directory, writer),
    AuthModule.forRoot(access),
    PoliciesModule.forRoot(authorizer),
    PrincipalsModule,
    GroupsModule,
    KeysModule,
    TenantsModule,
    TokenPolicyModule,
    RouteListsModule,
    AuditModule.forRoot(audit),
    AuthoritiesModule.forRoot(trust, registrationCodes),
    IssuersModule.forRoot(access.issuers),
    RevocationsModule.forRoot(trust),
    SinksModule.forRoot(access.keys, access.sinkSecrets),
    DeadLettersModule,
  ];
}
