import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../access/authenticator.js';
import { isLoopback } from '../config/loopback.js';
import { ServiceError } from '../errors/service-error.js';

/** Headers of proxies. A request with one of them comes from a client elsewhere, even on a loopback socket. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** Whether a request comes from this machine. Judges by the address of the socket, which no header can change. */
export function isLocal({ raw, headers }: FastifyRequest): boolean {
  const address = (raw.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return isLoopback(address) && !FORWARDED.some((name) => name in headers);
}

/**
 * For what says or does more than strangers should: a node that asks nobody who they are answers it to its own machine alone.
 * @throws ServiceError forbidden
 */
export function onlyOperators(request: FastifyRequest, { isRequired }: Pick<Authenticator, 'isRequired'>): void {
  if (!isRequired && !isLocal(request)) throw new ServiceError('forbidden');
}
