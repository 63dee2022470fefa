import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { EventStream, frame } from '../http/event-stream.js';
import { Describe } from '../http/openapi/describe.js';
import { strictQueryOf } from '../http/query.js';
import { Presence } from './presence.js';
import type { PresenceEnd, PresenceWatch } from './presence-watch.js';
import { watchPresence, type PresenceChanged } from './presence.openapi.js';
import { askedOf, WatchPresenceQuery } from './watch.dto.js';
import { WatchPresence } from './watch.js';

/** Clients that are looked at, and written, in one turn of the loop. */
const AT_ONCE = 200;

@Controller('v1/presence/watch')
export class WatchPresenceController {
  constructor(
    private readonly watches: WatchPresence,
    private readonly presence: Presence,
  ) {}

  @Get()
  @Action('presence:watch')
  @Describe(watchPresence)
  async watch(
    @Query(strictQueryOf(WatchPresenceQuery)) query: WatchPresenceQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (request.method === 'HEAD') return void reply.header('content-type', 'text/event-stream').send();
    const { principal, ip: address } = request;
    const watch = this.watches.watch({ principal, address, asked: askedOf(query) });
    try {
      await this.#serve(watch, reply);
    } finally {
      this.watches.close(watch);
    }
  }

  async #serve(watch: PresenceWatch, reply: FastifyReply): Promise<void> {
    const stream = new EventStream(reply, () => watch.end('closed'));
    watch.onEnd = () => stream.abandon();
    try {
      const isTaken = (await this.#writePresent(watch, stream)) && (await this.#writeChanges(watch, stream));
      if (!isTaken) watch.end('too-slow');
      stream.end(frame('end', endText(watch.ended ?? 'closed')));
    } finally {
      stream.end('');
    }
  }

  /** @returns false: the reader takes no more */
  async #writePresent(watch: PresenceWatch, stream: EventStream): Promise<boolean> {
    let seen = 0;
    for (const key of watch.present()) {
      if (watch.ended !== null) return true;
      if (!(await this.#write(watch, stream, 'initial', key))) return false;
      if (++seen % AT_ONCE === 0) await new Promise(setImmediate);
    }
    return stream.write(this.#bookmark());
  }

  /** @returns as #writePresent */
  async #writeChanges(watch: PresenceWatch, stream: EventStream): Promise<boolean> {
    while (watch.ended === null) {
      const key = watch.take();
      if (key !== null) {
        if (!(await this.#write(watch, stream, 'change', key))) return false;
        continue;
      }
      const since = performance.now();
      await watch.wait(this.watches.bookmarkMs);
      const isIdle = performance.now() - since >= this.watches.bookmarkMs;
      if (isIdle && watch.ended === null && !(await stream.write(this.#bookmark()))) return false;
    }
    return true;
  }

  #write(watch: PresenceWatch, stream: EventStream, event: string, key: string): boolean | Promise<boolean> {
    const clientId = watch.shown(key);
    const found = clientId === null ? null : this.presence.shown(key);
    if (clientId === null || found === null) return true;
    const data: PresenceChanged = { kind: 'presence', clientId, ...found };
    return stream.write(frame(event, JSON.stringify(data)));
  }

  #bookmark(): string {
    return frame('bookmark', JSON.stringify({ revision: this.presence.known.revision }));
  }
}

const MESSAGES: Readonly<Record<PresenceEnd, string>> = {
  closed: 'The stream was closed',
  'too-slow': 'The reader did not keep up; connect again for the present state',
  draining: 'The node is shutting down; connect again for the present state',
  forbidden: 'Policies no longer allow this stream',
};

const endText = (reason: PresenceEnd): string => JSON.stringify({ reason, message: MESSAGES[reason] });
