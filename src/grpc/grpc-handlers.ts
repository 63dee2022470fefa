import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { PATTERN_METADATA, TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
import { ACTION, type ActionName } from '../access/action.js';
import { ABOUT, GRPC_DOOR, HEEDS, type About, type GrpcHandler } from './grpc-call.js';

/** A method as its controller declares it. */
export interface DeclaredMethod {
  readonly handler: GrpcHandler;
  readonly action: Exclude<ActionName, 'public'>;
  readonly about: About;
  /** Names of metadata that the handler reads. */
  readonly heeds: readonly string[];
}

/** Finds the handlers that controllers declare with `@Rpc` (ADR 0025). */
@Injectable()
export class GrpcHandlers {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /**
   * By path. To be called when the modules are initialised.
   * @throws Error when a method declares no action: it would be open to everybody
   */
  byPath(): ReadonlyMap<string, DeclaredMethod> {
    const methods = new Map<string, DeclaredMethod>();
    for (const { controllers } of this.modules.values()) {
      for (const { instance } of controllers.values()) {
        const type = Object.getPrototypeOf(instance) as Record<string, GrpcHandler>;
        for (const name of Object.getOwnPropertyNames(type)) {
          const handler = type[name];
          if (typeof handler !== 'function' || Reflect.getMetadata(TRANSPORT_METADATA, handler) !== GRPC_DOOR) continue;
          const [path = ''] = Reflect.getMetadata(PATTERN_METADATA, handler) as string[];
          const action = Reflect.getMetadata(ACTION, handler) as ActionName | undefined;
          if (action === undefined || action === 'public') throw new Error(`The method ${path} declares no action`);
          const about = Reflect.getMetadata(ABOUT, handler) as About;
          const heeds = Reflect.getMetadata(HEEDS, handler) as readonly string[];
          methods.set(path, { handler: handler.bind(instance), action, about, heeds });
        }
      }
    }
    return methods;
  }
}
