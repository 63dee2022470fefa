import type { GrpcListener, HttpListener, RouteGuard } from '../access/route-guard.js';
import type { RouteList, RouteListsRecord } from '../directory/records/route-lists-record.js';
import { readingsOf, type Segments } from './path-readings.js';
import { parseRoutePattern, type RoutePattern } from './route-pattern.js';
import { RouteTree } from './route-tree.js';

/** The name under which a list holds for every listener. */
export const EVERY_LISTENER = '*';

/** What orchestrators ask: a list that forgets it must not have them restart every node. */
const HEALTH = new Set<unknown>(['health', 'grpc.health.v1.Health']);
/** Each with its method. */
const PROBES: ReadonlyMap<string, string> = new Map([
  ...(['/health/live', '/health/ready'] as const).map((path) => [path, 'GET'] as const),
  ...(['Check', 'Watch'] as const).map((call) => [`/grpc.health.v1.Health/${call}`, 'POST'] as const),
]);

/** The list of one listener, compiled. */
class CompiledList {
  readonly #allowed: RouteTree | null;
  readonly #denied: RouteTree;
  /** Patterns that name health, and not just everything. */
  readonly #deniedHealth: RouteTree;

  /** @throws RoutePatternFault */
  constructor({ allow, deny }: RouteList) {
    const denied = deny.map(parseRoutePattern);
    this.#allowed = allow === null ? null : new RouteTree(allow.map(parseRoutePattern));
    this.#denied = new RouteTree(denied);
    this.#deniedHealth = new RouteTree(denied.filter(namesHealth));
  }

  admits(method: string, readings: readonly Segments[], isProbe: boolean): boolean {
    const denied = isProbe ? this.#deniedHealth : this.#denied;
    if (readings.some((path) => denied.matches(method, path))) return false;
    const allowed = this.#allowed;
    return allowed === null || isProbe || readings.every((path) => allowed.matches(method, path));
  }
}

/** The route lists of one record, compiled. They never change. */
export class CompiledLists implements RouteGuard {
  readonly #byListener = new Map<string, CompiledList>();

  /** @throws RoutePatternFault */
  constructor({ listeners }: RouteListsRecord) {
    for (const [name, list] of listeners) this.#byListener.set(name, new CompiledList(list));
  }

  admits(listener: HttpListener | GrpcListener, method: string, target: string): boolean {
    const lists = [this.#byListener.get(EVERY_LISTENER), this.#byListener.get(listener)];
    if (lists[0] === undefined && lists[1] === undefined) return true;
    const asked = method.toUpperCase() === 'HEAD' ? 'GET' : method.toUpperCase();
    const readings = readingsOf(target);
    const isProbe = PROBES.get(target.split('?', 1)[0] ?? '') === asked;
    // What names no path is on no list.
    return readings.length > 0 && lists.every((list) => list?.admits(asked, readings, isProbe) ?? true);
  }
}

const namesHealth = ({ segments: [first] }: RoutePattern): boolean => HEALTH.has(first);
