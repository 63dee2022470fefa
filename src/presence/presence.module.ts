import { Global, Module } from '@nestjs/common';
import { MqttModule } from '../mqtt/built-in/built-in.module.js';
import { GetPresenceController } from './get.http.js';
import { Presence } from './presence.js';
import { PresenceHealth } from './presence.health.js';
import { WatchPresenceController } from './watch.http.js';
import { WatchPresence } from './watch.js';

/** Follows the built-in broker. Without this module nothing does. */
@Global()
@Module({
  imports: [MqttModule],
  controllers: [WatchPresenceController, GetPresenceController],
  providers: [Presence, WatchPresence, PresenceHealth],
  exports: [Presence, WatchPresence],
})
export class PresenceModule {}
