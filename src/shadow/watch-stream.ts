import type { FastifyReply, FastifyRequest } from 'fastify';
import { QueryError } from '../http/query.js';
import { sayRevision } from '../http/revision.js';
import { upgradeOf } from '../http/server/upgrades.js';
import type { ShadowFilter } from '../store/shadow-feed.js';
import { contentFilter, keyFilter, presenceFilter } from '../watch/watch-filter.js';
import { filterOf, type WatchQuery } from './watch.dto.js';
import type { WatchShadows } from './watch.js';
import { beginSentEvents } from './watch.sse.js';
import { beginMessages } from './watch.ws.js';

/**
 * Begins to write one subscription as server-sent events, or over a WebSocket where that is asked for. It goes on until
 * either side ends it.
 * @throws ServiceError, before anything was sent: invalidRequest, tooManyRequests, cursorGone, revisionAhead,
 * storageUnavailable, draining
 */
export async function streamWatch(
  shadows: WatchShadows,
  { tenant, thing, name }: ShadowFilter,
  query: WatchQuery,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const wanted = filterOf(query);
  const only = keyFilter(wanted);
  const filter = {
    tenant,
    ...(thing !== undefined && { thing }),
    ...(name !== undefined && { name }),
    ...(only !== null && { only }),
    presence: presenceFilter(wanted),
  };
  const upgrade = upgradeOf(request.raw);
  const { credit = null } = query;
  if (credit !== null && upgrade === null)
    throw new QueryError([{ parameter: 'credit', message: 'credit is for streams over WebSocket; leave it out' }]);
  // A browser that connects again repeats the address, query string included, and adds the header.
  const cursor = lastEventId(request) ?? query.cursor;
  if (request.method === 'HEAD') return void reply.header('content-type', 'text/event-stream').send();
  const { principal, ip: address } = request;
  const start = await shadows.starts.startOf({ ...query, cursor }, request.deadline);
  const { real = false, previous = false } = query;
  const watched = { filter, content: contentFilter(wanted), real, previous };
  const revision = shadows.starts.revisionOf(start);
  if (revision !== null) sayRevision(reply, revision);
  const watch = shadows.watch({ principal, address }, watched, start);
  const reload = reloadUrl(request);
  try {
    const { over } =
      upgrade === null
        ? await beginSentEvents(watch, { resumes: cursor !== undefined, reload }, reply)
        : await beginMessages(watch, { credit, reload }, upgrade, reply);
    const { id } = request;
    void over.catch((error: unknown) => shadows.failed(error, id)).finally(() => watch.close());
  } catch (error) {
    watch.close();
    throw error;
  }
}

function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  // A client that has seen no id sends an empty header.
  return typeof header === 'string' && header !== '' ? header : undefined;
}

/** The address to start over: the same stream with the present state first. */
function reloadUrl(request: FastifyRequest): string {
  const [path = '', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  query.delete('cursor');
  query.set('initial', 'true');
  return `${path}?${query.toString()}`;
}
