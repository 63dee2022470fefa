import { Module } from '@nestjs/common';
import { IdempotencyModule } from '../idempotency/idempotency.module.js';
import { LeasesModule } from '../leases/leases.module.js';
import { WatchModule } from '../watch/watch.module.js';
import { AwsDeleteShadowController, DeleteShadowController } from './delete.http.js';
import { DeleteShadow } from './delete.js';
import { DeleteShadowGrpc } from './delete.grpc.js';
import { DeleteShadowMqtt } from './delete.mqtt.js';
import { AwsGetShadowController, GetShadowController } from './get.http.js';
import { DocumentsBefore } from './documents-before.js';
import { GetShadow } from './get.js';
import { GetShadowGrpc } from './get.grpc.js';
import { GetShadowMqtt } from './get.mqtt.js';
import { AwsListShadowsController, ListShadowsController } from './list.http.js';
import { IdempotentChange } from './idempotent-change.js';
import { ListShadowsGrpc } from './list.grpc.js';
import { ListShadows } from './list.js';
import { AwsUpdateShadowController, UpdateShadowController } from './update.http.js';
import { UpdateShadow } from './update.js';
import { UpdateShadowGrpc } from './update.grpc.js';
import { UpdateShadowMqtt } from './update.mqtt.js';
import { WatchShadowGrpc } from './watch.grpc.js';
import { WatchShadowController } from './watch.http.js';
import { StreamStarts } from './stream-starts.js';
import { WatchShadows } from './watch.js';

const USE_CASES = [GetShadow, UpdateShadow, DeleteShadow, ListShadows, WatchShadows, IdempotentChange];

/** The operations on shadows, and every door to them. */
@Module({
  imports: [WatchModule, LeasesModule, IdempotencyModule],
  controllers: [
    AwsGetShadowController,
    GetShadowController,
    AwsUpdateShadowController,
    UpdateShadowController,
    AwsDeleteShadowController,
    DeleteShadowController,
    AwsListShadowsController,
    ListShadowsController,
    WatchShadowController,
    GetShadowMqtt,
    UpdateShadowMqtt,
    DeleteShadowMqtt,
    GetShadowGrpc,
    UpdateShadowGrpc,
    DeleteShadowGrpc,
    ListShadowsGrpc,
    WatchShadowGrpc,
  ],
  providers: [...USE_CASES, DocumentsBefore, StreamStarts],
  exports: USE_CASES,
})
export class ShadowModule {}
