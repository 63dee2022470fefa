import type { FastifyReply } from 'fastify';
import { entityTag } from './conditions.js';

/**
 * A JSON answer as bytes: Fastify would add a charset to the content type, which AWS does not send and JSON does not
 * have (RFC 8259 section 11).
 */
export function json(reply: FastifyReply, body: object): Buffer {
  void reply.header('content-type', 'application/json');
  return Buffer.from(JSON.stringify(body));
}

/** The same, with the version of the shadow as its entity tag. */
export function versioned(reply: FastifyReply, version: number, body: object): Buffer {
  void reply.header('etag', entityTag(version));
  return json(reply, body);
}
