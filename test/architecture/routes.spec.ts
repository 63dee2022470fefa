import 'reflect-metadata';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RequestMethod } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { AccessControl } from '../../src/access-control.js';
import { AppModule, type AppParts } from '../../src/app.module.js';
import { ACTION } from '../../src/access/action.js';
import { loadConfig } from '../../src/config/load-config.js';
import { DIRECT } from '../../src/http/server/direct-handlers.js';
import { GRPC_DOOR } from '../../src/grpc/grpc-call.js';
import { loadServices } from '../../src/grpc/grpc-methods.js';
import { HttpServer } from '../../src/http/server/http-server.js';
import { requestPatterns } from '../../src/mqtt/mqtt-request.js';
import { OPERATIONS } from '../../src/mqtt/topics.js';
import { SHADOW_PROTO } from '../../src/shadow/shadow-proto.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { fileOf, type Route } from './route-file.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = new Set(
  readdirSync(`${ROOT}src`, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])),
);
const SOURCES = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
  .map((file) => `src/${file.replaceAll('\\', '/')}`)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
  .sort();
const FILES = SOURCES.filter((file) => /\.(?:http|mqtt|grpc)\.ts$/.test(file));
/** What makes a class or a method answer something. */
const DOORS =
  /@(?:Controller|Get|Post|Put|Patch|Delete|Options|Head|All|Search|Sse|MessagePattern|EventPattern|GrpcMethod|GrpcStreamMethod|Rpc|WebSocketGateway|SubscribeMessage)\(/g;

/** What Nest's pipeline asks, and a direct handler goes past; MQTT doors have their own means. */
const ASKED =
  /\b(?:APP_(?:GUARD|INTERCEPTOR|PIPE)|useGlobal(?:Guards|Interceptors|Pipes)|Use(?:Guards|Interceptors|Pipes))\b/;
/** What a direct handler has: `@Req() request, @Res() reply`. */
const DIRECT_ARGUMENTS = { '0:0': { index: 0, pipes: [] }, '1:1': { index: 1, pipes: [] } };

/** Doors of OAuth: their clients prove themselves in ways that the handler asks for, or the answer is for everybody. */
const OAUTH = ['token', 'revoke', 'introspect', 'jwks', 'metadata'].map((operation) => `src/auth/${operation}.http.ts`);
const PUBLIC = new Set([...OAUTH, 'src/health/live.http.ts', 'src/health/ready.http.ts']);

interface Handler extends Route {
  readonly name: string;
  readonly action: unknown;
  /** Null: Nest calls it. */
  readonly direct: Direct | null;
}

interface Direct {
  readonly arguments: unknown;
  /** Status and headers that Nest would set. */
  readonly status: unknown;
  readonly headers: unknown;
}

type Class = new () => object;

/** The controllers that a file exports. */
async function controllersOf(file: string): Promise<Class[]> {
  const module = (await import(`${ROOT}${file}`)) as Record<string, unknown>;
  return Object.values(module).filter(
    (value): value is Class => typeof value === 'function' && Reflect.getMetadata('path', value) !== undefined,
  );
}

/** Names of the methods of a class, inherited ones too: Nest takes their routes as well. */
function membersOf(type: Class): string[] {
  const names = new Set<string>();
  for (let at: unknown = type.prototype; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name);
  }
  return [...names];
}

/** Every route and topic that the controllers of a file declare. */
async function handlersOf(file: string): Promise<Handler[]> {
  return (await controllersOf(file)).flatMap((type) => {
    const prefix: unknown = Reflect.getMetadata('path', type);
    return membersOf(type).flatMap((member) => {
      const handler: unknown = (type.prototype as Record<string, unknown>)[member];
      if (typeof handler !== 'function') return [];
      const common = {
        name: `${type.name}.${member}`,
        action: Reflect.getMetadata(ACTION, handler) as unknown,
        direct: Reflect.getMetadata(DIRECT, handler) === true ? directOf(type, member, handler) : null,
      };
      return routesOf(handler, prefix).map((route) => ({ ...common, ...route }));
    });
  });
}

function directOf(type: Class, member: string, handler: object): Direct {
  const args = (Reflect.getMetadata('__routeArguments__', type, member) ?? {}) as Record<string, object>;
  return {
    arguments: Object.fromEntries(
      Object.entries(args).map(([key, { index, pipes }]: [string, { index?: number; pipes?: unknown[] }]) => [
        key,
        { index, pipes },
      ]),
    ),
    status: Reflect.getMetadata('__httpCode__', handler) as unknown,
    headers: Reflect.getMetadata('__headers__', handler) as unknown,
  };
}

function routesOf(handler: object, prefix: unknown): Route[] {
  const method: unknown = Reflect.getMetadata('method', handler);
  const topics = (Reflect.getMetadata('microservices:pattern', handler) ?? []) as unknown[];
  const isGrpc = Reflect.getMetadata('microservices:transport', handler) === GRPC_DOOR;
  const transport = isGrpc ? ('grpc' as const) : ('mqtt' as const);
  const called = topics.map((topic) => ({ path: String(topic), method: null, transport }));
  if (typeof method !== 'number') return called;
  const paths = [prefix]
    .flat()
    .flatMap((first) =>
      [Reflect.getMetadata('path', handler) as unknown].flat().map((second) => urlOf(String(first), String(second))),
    );
  return [
    ...called,
    ...paths.map((path) => ({ path, method: RequestMethod[method] ?? null, transport: 'http' as const })),
  ];
}

function parts(): AppParts {
  const store = new MemoryShadowStore();
  const keys = new MemoryClusterKeys();
  const storage = {
    store,
    feed: new MemoryShadowFeed(store),
    clusterKeys: keys,
    health: () => ({ ok: true, reason: '' }),
    close: () => store.close(),
  };
  // With authentication, which brings routes of its own.
  const config = loadConfig({ UMBRA_DATA_DIR: join(tmpdir(), `umbra-routes-${process.pid}`) });
  const clock = SYSTEM_CLOCK;
  const access = new AccessControl({ config, keys, clock, logger: SILENT_LOGGER });
  return { config, logger: SILENT_LOGGER, storage, access };
}

/** Every controller of the application, as its modules list them. */
function registered(module: unknown, seen = new Set<unknown>()): unknown[] {
  const {
    module: type = module,
    imports = [],
    controllers = [],
  } = module as {
    module?: object;
    imports?: unknown[];
    controllers?: unknown[];
  };
  if (seen.has(type)) return [];
  seen.add(type);
  const listed = (key: string): unknown[] => (Reflect.getMetadata(key, type as object) as unknown[] | undefined) ?? [];
  return [
    ...controllers,
    ...listed('controllers'),
    ...[...imports, ...listed('imports')].flatMap((each) => registered(each, seen)),
  ];
}

/** Every path that the HTTP server knows, those beside Nest too; `METHOD /path`. And those of them without Nest's pipeline. */
async function servedRoutes(): Promise<{ routes: string[]; direct: string[] }> {
  const routes: string[] = [];
  const direct: string[] = [];
  const { storage, ...rest } = parts();
  const server = new HttpServer({ ...rest, clock: SYSTEM_CLOCK });
  const { adapter } = server;
  adapter.getInstance<FastifyInstance>().addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) if (each !== 'HEAD') routes.push(`${each} ${url}`);
  });
  const app = await NestFactory.create(AppModule.forRoot({ storage, ...rest }), adapter, { logger: false });
  server.configure(app as never);
  adapter.getInstance<FastifyInstance>().addHook('onRoute', ({ method, url, handler }) => {
    if (handler.name === 'handledDirectly' && method !== 'HEAD') direct.push(`${[method].flat().join()} ${url}`);
  });
  await app.init();
  await app.close();
  await storage.close();
  return { routes, direct };
}

const urlOf = (first: string, second: string): string => `/${first}/${second}`.replace(/\/+/g, '/').replace(/\/$/, '');

describe('the file of a route', () => {
  it.each([
    ['http', 'GET', '/v1/things/:thing/shadow', 'src/shadow/get.http.ts'],
    ['http', 'PATCH', '/v1/things/:thing/shadow', 'src/shadow/update.http.ts'],
    ['http', 'PATCH', '/v1/things/:thing/shadow/desired', 'src/shadow/update.http.ts'],
    ['http', 'POST', '/things/:thing/shadow', 'src/shadow/update.http.ts'],
    ['http', 'GET', '/v1/things/:thing/shadows', 'src/shadow/list.http.ts'],
    ['http', 'GET', '/api/things/shadow/ListNamedShadowsForThing/:thing', 'src/shadow/list.http.ts'],
    ['http', 'GET', '/v1/things/:thing/shadow/watch', 'src/shadow/watch.http.ts'],
    ['http', 'GET', '/v1/things/:thing/watch', 'src/things/watch.http.ts'],
    ['http', 'GET', '/v1/watch', 'src/things/watch.http.ts'],
    ['http', 'GET', '/v1/things', 'src/things/list.http.ts'],
    ['http', 'GET', '/v1/things/:thing', 'src/things/get.http.ts'],
    ['http', 'DELETE', '/v1/things/:thing', 'src/things/delete.http.ts'],
    ['http', 'POST', '/v1/auth/refresh', 'src/auth/refresh.http.ts'],
    ['http', 'POST', '/v1/auth/login', 'src/auth/login.http.ts'],
    ['http', 'POST', '/v1/transactions/commit', 'src/transactions/commit.http.ts'],
    ['http', 'PUT', '/v1/policies/:policy', 'src/policies/update.http.ts'],
    ['http', 'POST', '/v1/policies/check', 'src/policies/check.http.ts'],
    ['http', 'GET', '/health/metrics', 'src/health/metrics.http.ts'],
    ['http', 'GET', '/.well-known/issuer', 'src/issuer/get.http.ts'],
    ['http', 'POST', '/v1/auth/token', 'src/auth/token.http.ts'],
    ['http', 'GET', '/v1/auth/me', 'src/auth/get.http.ts'],
    ['http', 'GET', '/.well-known/jwks.json', 'src/auth/jwks.http.ts'],
    ['http', 'GET', '/.well-known/oauth-authorization-server', 'src/auth/metadata.http.ts'],
    ['http', 'PUT', '/v1/token-policy', 'src/token-policy/update.http.ts'],
    ['http', 'GET', '/health/ready', 'src/health/ready.http.ts'],
    ['http', 'PUT', '/v1/runtime/staged', 'src/runtime/update.http.ts'],
    ['http', 'POST', '/v1/runtime/promote', 'src/runtime/promote.http.ts'],
    // Words that are dropped elsewhere are nouns here, and words that begin like a verb are none.
    ['http', 'GET', '/v1/name', 'src/name/get.http.ts'],
    ['http', 'GET', '/v1/staged', 'src/staged/get.http.ts'],
    ['http', 'GET', '/v1/things/:thing/desired', 'src/desired/get.http.ts'],
    ['http', 'GET', '/v1/policies/:policy/update-history', 'src/update-history/get.http.ts'],
    ['mqtt', null, '$aws/things/+/shadow/get', 'src/shadow/get.mqtt.ts'],
    ['grpc', null, '/umbra.v1.Shadows/Watch', 'src/shadow/watch.grpc.ts'],
    ['grpc', null, '/umbra.v1.Things/List', 'src/things/list.grpc.ts'],
    ['mqtt', null, '$aws/things/+/shadow/name/+/update', 'src/shadow/update.mqtt.ts'],
  ] as const)('%s %s %s is %s', (transport, method, path, file) => {
    // Folders that are planned count here as those that exist.
    expect(fileOf({ transport, method, path }, new Set([...FOLDERS, 'policies', 'transactions']))).toBe(file);
  });

  it('is looked for in every door there is', () => expect(FILES.length).toBeGreaterThanOrEqual(9));

  describe.each(FILES)('%s', (file) => {
    let handlers: Handler[];
    beforeAll(async () => (handlers = await handlersOf(file)));

    it('declares routes, and its name is theirs', () => {
      expect(handlers).not.toEqual([]);
      expect(
        handlers.map(
          ({ name, path, method, transport }) => `${name} ${path}: ${fileOf({ path, method, transport }, FOLDERS)}`,
        ),
      ).toEqual(handlers.map(({ name, path }) => `${name} ${path}: ${file}`));
    });

    it('declares an action for each', () => {
      expect(handlers.filter(({ action }) => typeof action !== 'string').map(({ name }) => name)).toEqual([]);
    });

    it('declares the action of its operation', () => {
      const verb = /([a-z]+)\.[a-z]+\.ts$/.exec(file)?.[1];
      const expected = PUBLIC.has(file) ? 'public' : expect.stringMatching(new RegExp(`^[a-z-]+:${verb}$`));
      for (const { action } of handlers) expect(action).toEqual(expected);
    });
  });

  describe('cannot be got round', () => {
    it('by a controller in another file, or one that is not exported', async () => {
      const doors = (file: string): string[] => readFileSync(`${ROOT}${file}`, 'utf8').match(DOORS) ?? [];
      const elsewhere = SOURCES.filter((file) => !FILES.includes(file) && doors(file).length > 0);
      expect(elsewhere).toEqual([]);
      for (const file of FILES) {
        const declared = doors(file).filter((door) => door === '@Controller(').length;
        expect([file, (await controllersOf(file)).length]).toEqual([file, declared]);
      }
    });

    it('by a controller that a module lists, but that no door exports', async () => {
      const exported = new Set((await Promise.all(FILES.map(controllersOf))).flat());
      const listed = registered(AppModule.forRoot(parts()));
      expect(listed.filter((type) => !exported.has(type as Class))).toEqual([]);
      expect(new Set(listed)).toEqual(exported);
    });

    it('by two handlers of one route, or by a topic that nothing or something else handles', async () => {
      const all = (await Promise.all(FILES.map(handlersOf))).flat();
      const names = all.map(({ method, path }) => `${method ?? 'MQTT'} ${path}`);
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
      const topics = all.flatMap(({ transport, path }) => (transport === 'mqtt' ? [path] : []));
      expect(topics.sort()).toEqual(OPERATIONS.flatMap(requestPatterns).sort());
      const rpcs = all.flatMap(({ transport, path }) => (transport === 'grpc' ? [path] : []));
      expect(rpcs.sort()).toEqual([...loadServices(SHADOW_PROTO).methods.keys()].sort());
    });

    it('by a route that Nest does not know, but for the description of the API', async () => {
      const declared = (await Promise.all(FILES.map(handlersOf)))
        .flat()
        .flatMap(({ method, path }) => (method === null ? [] : [`${method} ${path}`]));
      const others = (await servedRoutes()).routes.filter((route) => !declared.includes(route));
      expect(others.filter((route) => !/^GET \/(?:|(?:open|async)api\.json|docs(?:\/[\w.-]+)?)$/.test(route))).toEqual(
        [],
      );
      expect(others).toContain('GET /openapi.json');
    });

    // ADR 0012.
    it('by a guard, an interceptor or a pipe, which direct handlers would go past', () => {
      expect(SOURCES.filter((file) => ASKED.test(readFileSync(`${ROOT}${file}`, 'utf8')))).toEqual([]);
    });

    it('by a direct handler that needs what only Nest does, or that Nest handles all the same', async () => {
      const all = (await Promise.all(FILES.map(handlersOf))).flat();
      const direct = all.filter((handler) => handler.direct !== null);
      for (const { name, direct: found } of direct) {
        const expected = {
          arguments: DIRECT_ARGUMENTS,
          status: found?.status === 200 ? 200 : undefined,
          headers: undefined,
        };
        expect([name, found]).toEqual([name, expected]);
      }
      const names = direct.map(({ method, path }) => `${method} ${path}`).sort();
      expect(names).toContain('GET /things/:thing/shadow');
      expect((await servedRoutes()).direct.sort()).toEqual(names);
    });
  });
});
