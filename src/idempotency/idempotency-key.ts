import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { CallHead } from '../access/call-head.js';
import { ServiceError } from '../errors/service-error.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { bodyOf } from '../http/caller.js';

/** Visible ASCII characters; quotes are a part of the key. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/** Seconds of a day, which no answer is asked to be kept beyond. */
const MAX_LIFETIME = 24 * 60 * 60;

/** Whether a request has an Idempotency-Key. No errors. */
export const hasIdempotencyKey = ({ headers }: Pick<CallHead, 'headers'>): boolean =>
  headers['idempotency-key'] !== undefined;

/**
 * For a route that keeps no answers: a key that nobody looks at must not pass for one that was kept.
 * @throws ServiceError invalidRequest when the request carries a key
 */
export function withoutIdempotencyKey(request: FastifyRequest): void {
  if (!hasIdempotencyKey(request)) return;
  throw new ServiceError('invalidRequest', 'This request takes no Idempotency-Key; send it without one');
}

/**
 * Where the answer to a request is kept below the cluster's own keys. Principals share no keys.
 * @throws ServiceError invalidRequest
 */
export function placeOf(head: CallHead): string {
  const { id, tenant } = head.principal;
  return `${folderOf(tenant)}${digest([id, keyOf(head)])}`;
}

/**
 * The same for one line of a request with many.
 * @param line id of the line, or its number
 * @throws ServiceError invalidRequest
 */
export function placeOfLine(head: CallHead, line: string | number): string {
  const { id, tenant } = head.principal;
  const parts = typeof line === 'number' ? ['number', String(line)] : ['id', line];
  return `${lineFolderOf(tenant)}${digest([id, keyOf(head), ...parts])}`;
}

/** @throws ServiceError invalidRequest */
export function keyOf({ headers }: Pick<CallHead, 'headers'>): string {
  const key = headers['idempotency-key'];
  if (typeof key === 'string' && KEY.test(key)) return key;
  throw new ServiceError('invalidRequest', 'Idempotency-Key must be given once, as 1 to 255 visible ASCII characters');
}

/** Seconds for which a caller wants its answer to be kept at least; null: it does not say. @throws ServiceError invalidRequest */
export function lifetimeOf({ headers }: Pick<CallHead, 'headers'>): number | null {
  const text = headers['idempotency-lifetime'];
  if (text === undefined) return null;
  const seconds = typeof text === 'string' && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : NaN;
  if (seconds <= MAX_LIFETIME) return seconds;
  throw new ServiceError('invalidRequest', `Idempotency-Lifetime must be given once, as 1 to ${MAX_LIFETIME} seconds`);
}

/** Prefix of all answers that are kept for a tenant. No errors. */
export const folderOf = (tenant: string): string => `idempotency/${tenant}/`;
/** The same of answers to lines. No errors. */
export const lineFolderOf = (tenant: string): string => `idempotency-of-lines/${tenant}/`;

/**
 * What makes two requests of HTTP the same one: method, path with query, conditions, content type and body. Not the
 * lease: a controller may have another one when it repeats a request.
 * @throws ServiceError tooLarge for a body that was refused
 */
export function fingerprintOf(request: FastifyRequest): string {
  const { method, url, headers } = request;
  const head = [method, url, headers['if-match'], headers['if-none-match'], headers['content-type']];
  return digest([...head.map((each) => each ?? null), Buffer.from(bodyOf(request)).toString('base64')]);
}

/**
 * What makes two calls of gRPC the same one: method and message. Members that are absent count for nothing, so an optional
 * one that is new in the description changes no call that goes without it. No errors.
 */
export function callFingerprintOf({ path, request }: Pick<GrpcCall<object>, 'path' | 'request'>): string {
  const members = Object.entries(request).filter(([, value]) => value !== undefined);
  return digest([path, JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)))]);
}

/** The same for one line of a request with many: its bytes. No errors. */
export const fingerprintOfLine = (line: Uint8Array): string => createHash('sha256').update(line).digest('base64url');

function digest(parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
