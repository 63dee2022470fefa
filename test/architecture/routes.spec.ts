import 'reflect-metadata';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RequestMethod } from '@nestjs/common';
import { ACTION } from '../../src/auth/action.js';
import { fileOf, type Route } from './route-file.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = new Set(
  readdirSync(`${ROOT}src`, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])),
);
const FILES = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:http|mqtt)\.ts$/.test(file))
  .map((file) => `src/${file.replaceAll('\\', '/')}`)
  .sort();

interface Handler extends Route {
  readonly name: string;
  readonly action: unknown;
}

/** Every route and topic that the controllers of a file declare. */
async function handlersOf(file: string): Promise<Handler[]> {
  const module = (await import(`${ROOT}${file}`)) as Record<string, unknown>;
  const classes = Object.values(module).filter((value): value is new () => object => typeof value === 'function');
  return classes.flatMap((type) => {
    const prefix: unknown = Reflect.getMetadata('path', type);
    if (prefix === undefined) return [];
    return Object.getOwnPropertyNames(type.prototype).flatMap((member) => {
      const handler: unknown = Object.getOwnPropertyDescriptor(type.prototype, member)?.value;
      if (typeof handler !== 'function') return [];
      const common = { name: `${type.name}.${member}`, action: Reflect.getMetadata(ACTION, handler) as unknown };
      return routesOf(handler, prefix).map((route) => ({ ...common, ...route }));
    });
  });
}

function routesOf(handler: object, prefix: unknown): Route[] {
  const method: unknown = Reflect.getMetadata('method', handler);
  const topics = (Reflect.getMetadata('microservices:pattern', handler) ?? []) as unknown[];
  const mqtt = topics.map((topic) => ({ path: String(topic), method: null, transport: 'mqtt' as const }));
  if (typeof method !== 'number') return mqtt;
  const paths = [prefix]
    .flat()
    .flatMap((first) =>
      [Reflect.getMetadata('path', handler) as unknown].flat().map((second) => join(String(first), String(second))),
    );
  return [
    ...mqtt,
    ...paths.map((path) => ({ path, method: RequestMethod[method] ?? null, transport: 'http' as const })),
  ];
}

const join = (first: string, second: string): string => `/${first}/${second}`.replace(/\/+/g, '/').replace(/\/$/, '');

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
    ['http', 'GET', '/health/ready', 'src/health/ready.http.ts'],
    ['mqtt', null, '$aws/things/+/shadow/get', 'src/shadow/get.mqtt.ts'],
    ['mqtt', null, '$aws/things/+/shadow/name/+/update', 'src/shadow/update.mqtt.ts'],
  ] as const)('%s %s %s is %s', (transport, method, path, file) => {
    expect(fileOf({ transport, method, path }, FOLDERS)).toBe(file);
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
  });
});
