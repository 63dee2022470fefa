import { Module } from '@nestjs/common';
import { ShadowModule } from '../shadow/shadow.module.js';
import { ListThingsController } from './list.http.js';
import { ListThings } from './list.js';
import { WatchThingController, WatchThingsController } from './watch.http.js';

@Module({
  imports: [ShadowModule],
  controllers: [ListThingsController, WatchThingController, WatchThingsController],
  providers: [ListThings],
})
export class ThingsModule {}
