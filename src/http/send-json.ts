import type { FastifyReply } from 'fastify';

const asItIs = (text: unknown): string => text as string;

/**
 * A JSON answer, for the caller to return. A custom serialiser keeps Fastify from adding a charset to the content type:
 * AWS sends none, and JSON has none (RFC 8259 section 11). Node sends a string together with the headers in one write,
 * a Buffer in two.
 */
export function json(reply: FastifyReply, body: object): string {
  return jsonText(reply, JSON.stringify(body));
}

/** `json` for what is text already. */
function jsonText(reply: FastifyReply, text: string): string {
  void reply.header('content-type', 'application/json').serializer(asItIs);
  return text;
}

/** Sends a JSON answer, for direct handlers. */
export function sendJson(reply: FastifyReply, body: object): void {
  void reply.send(json(reply, body));
}

/** Sends an answer that is JSON text already, for direct handlers. */
export function sendJsonText(reply: FastifyReply, text: string): void {
  void reply.send(jsonText(reply, text));
}
