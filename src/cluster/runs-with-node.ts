import type { FactoryProvider, OnApplicationShutdown, OnModuleInit, Type } from '@nestjs/common';

/** What runs as long as its node. */
export interface Runner {
  /** No errors, and nothing waits. */
  start(): void;
  /** No errors. */
  close(): Promise<void>;
}

/** A provider by which the part of this type starts with the node, and ends when its doors are closed. */
export function runsWithNode(part: Type<Runner>): FactoryProvider<OnModuleInit & OnApplicationShutdown> {
  return {
    provide: Symbol(part.name),
    inject: [part],
    useFactory: (runner: Runner) => ({
      onModuleInit: () => runner.start(),
      onApplicationShutdown: () => runner.close(),
    }),
  };
}
