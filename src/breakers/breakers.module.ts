import { Module, type DynamicModule } from '@nestjs/common';
import { BREAKERS, type Breakers } from './breakers.js';
import { BreakersHealth } from './breakers.health.js';

/** Shows the dependencies behind breakers. */
@Module({})
export class BreakersModule {
  /** @param breakers started already; the caller closes them */
  static forRoot(breakers: Breakers): DynamicModule {
    return {
      module: BreakersModule,
      global: true,
      providers: [{ provide: BREAKERS, useValue: breakers }, BreakersHealth],
      exports: [BREAKERS],
    };
  }
}
