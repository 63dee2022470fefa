import { Module } from '@nestjs/common';
import { LeasesModule } from '../leases/leases.module.js';
import { ShadowModule } from '../shadow/shadow.module.js';
import { DeleteThingController } from './delete.http.js';
import { DeleteThing } from './delete.js';
import { GetThingController } from './get.http.js';
import { GetThing } from './get.js';
import { ListThingsController } from './list.http.js';
import { ListThingsGrpc } from './list.grpc.js';
import { ListThings } from './list.js';
import { PresenceOfThings } from './presence-of-things.js';
import { WatchThingController, WatchThingsController } from './watch.http.js';

@Module({
  imports: [ShadowModule, LeasesModule],
  controllers: [
    ListThingsController,
    GetThingController,
    DeleteThingController,
    WatchThingController,
    WatchThingsController,
    ListThingsGrpc,
  ],
  providers: [ListThings, GetThing, DeleteThing, PresenceOfThings],
})
export class ThingsModule {}
