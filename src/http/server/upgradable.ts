import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { controllerMethods, routesOf } from './controller-methods.js';
import { patternOf } from './route-table.js';

/** Metadata key of a handler that may open a WebSocket. */
const UPGRADABLE = 'umbra:upgradable';

/** The handler sends its stream over a WebSocket when it is asked to (http/server/upgrades.ts, `upgradeOf`). */
export const Upgradable = (): CustomDecorator => SetMetadata(UPGRADABLE, true);

/** Paths of the routes whose handlers may open a WebSocket. No errors. */
export function upgradablePaths(app: NestFastifyApplication): RegExp[] {
  return controllerMethods(app)
    .filter(({ handler }) => Reflect.getMetadata(UPGRADABLE, handler) === true)
    .flatMap(({ type, handler }) => routesOf(type, handler))
    .map((route) => patternOf(route.slice(route.indexOf('/'))));
}
