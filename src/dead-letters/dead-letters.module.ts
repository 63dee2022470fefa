import { Module } from '@nestjs/common';
import { DeleteDeadLettersController } from './delete.http.js';
import { ListDeadLettersController } from './list.http.js';
import { ReplayDeadLettersController } from './replay.http.js';
import { ReplayDeadLetters } from './replay.js';
import { SinkLetters } from './sink-letters.js';

/** Webhooks that were given up. What sinks have in common comes from the global SinksModule. */
@Module({
  controllers: [ListDeadLettersController, DeleteDeadLettersController, ReplayDeadLettersController],
  providers: [SinkLetters, ReplayDeadLetters],
})
export class DeadLettersModule {}
