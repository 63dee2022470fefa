import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { largestRequest } from '../document/limits.js';
import type { ServiceError } from '../errors/service-error.js';
import { withoutConditions } from '../http/conditions.js';
import { Describe } from '../http/openapi/describe.js';
import { Direct } from '../http/server/direct-handlers.js';
import { answerLast } from '../http/server/last-answer.js';
import { StreamedBody, streamOf } from '../http/server/streamed-body.js';
import { TextStream } from '../http/text-stream.js';
import { hasIdempotencyKey, keyOf } from '../idempotency/idempotency-key.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { BulkRequests } from './bulk-requests.js';
import { BulkRun, type LineHandler, type StopReason } from './bulk-run.js';
import { changeInBulk } from './bulk.openapi.js';
import { LineAccess } from './line-access.js';
import { LineReader } from './line-reader.js';
import { parseLine } from './parse-line.js';
import { ChangeInBulk } from './update.js';

/** Milliseconds for a whole line. */
const STALL_MS = 30_000;
/** Milliseconds for which a client that still sends is heard after the last line of the answer. */
const LINGER_MS = 5_000;

const HEADERS = {
  'content-type': 'application/x-ndjson',
  'cache-control': 'no-store',
  // Without it, reverse proxies would buffer results.
  'x-accel-buffering': 'no',
};

/** What is the same for the lines after one. */
const STOPS: Readonly<Partial<Record<ServiceError['code'], StopReason>>> = {
  draining: 'draining',
  leaseEnded: 'lease-ended',
  leaseNotYours: 'lease-not-yours',
  storageUnavailable: 'storage-unavailable',
  storageFull: 'storage-full',
};

@Controller('v1/bulk')
export class BulkController {
  constructor(
    private readonly requests: BulkRequests,
    private readonly access: LineAccess,
    private readonly changes: ChangeInBulk,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Post()
  @Direct()
  @HttpCode(200)
  @StreamedBody()
  @Action('bulk:update')
  @Describe(changeInBulk)
  async update(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { tenant } = request.principal;
    const body = streamOf(request);
    try {
      withoutConditions(request);
      if (hasIdempotencyKey(request)) keyOf(request);
      this.requests.enter(tenant);
    } catch (error) {
      refuseBody(request, reply, body);
      throw error;
    }
    try {
      await this.#run(request, reply, body);
    } finally {
      this.requests.leave(tenant);
    }
  }

  async #run(request: FastifyRequest, reply: FastifyReply, body: IncomingMessage | null): Promise<void> {
    const maxLineBytes = largestRequest(this.config.limits);
    const reader = new LineReader(body ?? Readable.from([]), { maxBytes: maxLineBytes, stallMs: STALL_MS });
    const answers = new TextStream(reply, HEADERS, () => reader.leave());
    const isKeyed = hasIdempotencyKey(request);
    const run = new BulkRun({
      ...{ reader, answers, handler: this.#handlerFor(request), maxLineBytes, stallSeconds: STALL_MS / 1000 },
      maxLines: () => this.requests.linesOf(request.principal.tenant, isKeyed),
      onError: (err) => this.logger.error({ err, requestId: request.id }, 'a bulk request failed'),
    });
    const release = this.requests.endWithNode(run);
    try {
      const reason = await run.run();
      this.logger.debug({ requestId: request.id, reason, ...run.counts }, 'bulk request ended');
    } finally {
      release();
      reader.close();
      if (body !== null && !body.complete) cutSoon(request, body);
    }
  }

  #handlerFor(request: FastifyRequest): LineHandler {
    const { access, changes } = this;
    return {
      parse: (bytes) => parseLine(bytes, this.config.limits),
      admit: (change, stop) => access.admit(request, change, stop),
      begin: (line, id, change) => {
        const keyed = changes.keyed(request, line, id);
        return () => changes.change(request, change, keyed);
      },
      stopOf: (error) => {
        if (error.status === 403 && !access.isActive(request)) return 'forbidden';
        return STOPS[error.code] ?? null;
      },
    };
  }
}

/** The answer is the last of its connection: nobody reads what the body still brings. */
function refuseBody(request: FastifyRequest, reply: FastifyReply, body: IncomingMessage | null): void {
  if (body === null) return;
  answerLast(request, reply);
  body.resume();
}

/**
 * Ends a connection whose client still sends. What it sends is read and dropped for a while, since a client that is cut off
 * as it sends may lose the answer.
 */
function cutSoon(request: FastifyRequest, body: IncomingMessage): void {
  const { socket } = body;
  if (socket.destroyed) return;
  answerLast(request);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  body.once('end', () => socket.destroySoon()).resume();
}
