import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { checkShadowName, checkThingName } from '../document/shadow-name.js';
import { Rpc, sayRevision, type GrpcStream } from '../grpc/grpc-call.js';
import { strictQueryOf } from '../http/query.js';
import type { ShadowFilter } from '../store/shadow-feed.js';
import { CLASSIC, contentFilter, keyFilter, presenceFilter } from '../watch/watch-filter.js';
import { writeWatch } from './watch-messages.js';
import { filterOf, WatchThingsQuery } from './watch.dto.js';
import { WatchShadows } from './watch.js';

export interface WatchMessage {
  readonly thing: readonly string[];
  readonly shadow: readonly string[];
  /** Names of ChangeKind; a number is none that this node knows. */
  readonly kind: readonly (string | number)[];
  readonly path: readonly string[];
  readonly delta: boolean;
  readonly real: boolean;
  readonly previous: boolean;
  readonly initial: boolean;
  readonly cursor?: string;
  readonly minRevision?: number;
}

/** The rules of the query of HTTP: the members of the message have the names of its parameters. */
const RULES = strictQueryOf(WatchThingsQuery);

@Controller()
export class WatchShadowGrpc {
  constructor(@Inject(WatchShadows) private readonly shadows: WatchShadows) {}

  @Rpc('Shadows', 'Watch', aboutWatched)
  @Action('shadow:watch')
  async watch(call: GrpcStream<WatchMessage>): Promise<void> {
    const { principal, address, request } = call;
    const query = (await RULES.transform(queryOf(request), { type: 'query' })) as WatchThingsQuery;
    const wanted = filterOf(query);
    const only = keyFilter(wanted);
    const filter: ShadowFilter = {
      ...{ tenant: principal.tenant, presence: presenceFilter(wanted) },
      ...oneOf(request),
      ...(only !== null && { only }),
    };
    const { cursor, real = false, previous = false } = query;
    const start = await this.shadows.starts.startOf(query, call.deadline);
    const watched = { filter, content: contentFilter(wanted), real, previous };
    const revision = this.shadows.starts.revisionOf(start);
    const subscription = this.shadows.watch({ principal, address }, watched, start);
    if (revision !== null) sayRevision(call, revision);
    try {
      await writeWatch(call, subscription, cursor !== undefined);
    } finally {
      subscription.close();
    }
  }
}

/** A stream of one shadow is asked about that one; any other brings what policies allow. */
function aboutWatched(request: WatchMessage): string | null {
  const { thing, name } = oneOf(request);
  if (thing !== undefined) checkThingName(thing);
  if (thing === undefined || name === undefined) return null;
  if (name === null) return `thing/${thing}`;
  checkShadowName(name);
  return `thing/${thing}/${name}`;
}

/** The one thing, and the one shadow of it, that a request names; null is the classic one. */
function oneOf({ thing, shadow }: WatchMessage): { thing?: string; name?: string | null } {
  const one = only(thing);
  if (one === undefined) return {};
  const name = only(shadow);
  return { thing: one, ...(name !== undefined && { name: name === CLASSIC ? null : name }) };
}

const only = ([first, ...others]: readonly string[]): string | undefined =>
  others.length === 0 && first?.endsWith('*') === false ? first : undefined;

function queryOf(request: WatchMessage): object {
  const { thing, shadow, kind, path, initial, cursor, delta, real, previous } = request;
  const given = Object.entries({ thing, shadow, path, kind: kind.map((each) => String(each).toLowerCase()) });
  return {
    ...Object.fromEntries(given.filter(([, values]) => values.length > 0)),
    ...Object.fromEntries(Object.entries({ delta, real, previous }).filter(([, isSet]) => isSet)),
    ...{ initial, cursor, minRevision: request.minRevision?.toString() },
  };
}
