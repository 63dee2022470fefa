import type { FastifyRequest } from 'fastify';
import { isLoopback } from '../config/loopback.js';

/** Headers of proxies. A request with one of them comes from a client elsewhere, even on a loopback socket. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** Whether a request comes from this machine. Judges by the address of the socket, which no header can change. */
export function isLocal({ raw, headers }: FastifyRequest): boolean {
  const address = (raw.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return isLoopback(address) && !FORWARDED.some((name) => name in headers);
}
