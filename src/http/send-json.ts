import type { FastifyReply } from 'fastify';

const asItIs = (text: unknown): string => text as string;

/**
 * A JSON answer, for the caller to return. With a serialiser of its own Fastify adds no charset to the content type,
 * which AWS does not send and JSON does not have (RFC 8259 section 11). A string leaves in one write together with the
 * headers, a Buffer in two.
 */
export function json(reply: FastifyReply, body: object): string {
  void reply.header('content-type', 'application/json').serializer(asItIs);
  return JSON.stringify(body);
}

/** The same, sent: for direct handlers. */
export function sendJson(reply: FastifyReply, body: object): void {
  void reply.send(json(reply, body));
}
