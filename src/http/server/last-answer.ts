import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';

const ending = new WeakSet<Socket>();

/**
 * Makes an answer the last one of its connection. RFC 9112 section 9.6: requests that the client has sent behind it are
 * not executed. Node reads them all the same, and so needs to be asked each time.
 */
export function answerLast({ raw }: FastifyRequest, reply?: FastifyReply): void {
  ending.add(raw.socket);
  void reply?.header('connection', 'close');
}

/** Whether the last answer of a connection is under way or has been sent. */
export const hasLastAnswer = (socket: Socket): boolean => ending.has(socket);
