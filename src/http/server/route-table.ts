import type { FastifyInstance } from 'fastify';
import { ServiceError } from '../../errors/service-error.js';

interface Route {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** All paths of the server. They separate a wrong method (405 with Allow) from a wrong path (404). */
export class RouteTable {
  readonly #routes = new Map<string, Route>();

  /** Must be called before the first route is added. */
  constructor(server: FastifyInstance) {
    server.addHook('onRoute', ({ url, method }) => {
      // A wildcard would match every path below it.
      if (url.includes('*')) return;
      const route = this.#routes.get(url) ?? { pattern: patternOf(url), methods: new Set() };
      for (const one of [method].flat()) route.methods.add(one);
      this.#routes.set(url, route);
    });
  }

  /** Methods of all routes of this path, in alphabetical order. */
  methodsOf(path: string): string[] {
    const matching = [...this.#routes.values()].filter(({ pattern }) => pattern.test(path));
    return [...new Set(matching.flatMap(({ methods }) => [...methods]))].sort();
  }

  /** The error of a request without a route: methodNotAllowed with the methods as its detail, or noRoute. */
  rejectionOf(path: string): ServiceError {
    const methods = this.methodsOf(path);
    if (methods.length > 0) return new ServiceError('methodNotAllowed', methods.join(', '));
    return new ServiceError('noRoute', path.length > MAX_SHOWN ? `${path.slice(0, MAX_SHOWN)}...` : path);
  }
}

/** Characters of a path that an error repeats. */
const MAX_SHOWN = 200;

/** Fits the paths of a route, with the names of its parameters in `url`. No errors. */
export function patternOf(url: string): RegExp {
  const segments = url
    .split('/')
    .map((segment) => (segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  return new RegExp(`^${segments.join('/')}$`);
}
