import type { FastifyRequest } from 'fastify';
import { bodyOf } from '../http/caller.js';
import { OAuthError } from './oauth-error.js';

/** Parameters of one request; the standard ones are fewer than ten. */
const MAX_PARAMETERS = 20;

/** Parameters by name; empty ones count as absent (RFC 6749 section 3.2). */
export type OAuthForm = ReadonlyMap<string, string>;

/**
 * The parameters of a request. They are read from the body alone: URLs end up in logs.
 * @throws OAuthError invalid_request
 * @throws ServiceError tooLarge
 */
export function formOf(request: FastifyRequest): OAuthForm {
  if (request.url.includes('?')) throw invalid('send all parameters in the body and none in the URL, which logs keep');
  const pairs = [...new URLSearchParams(Buffer.from(bodyOf(request)).toString())];
  if (pairs.length > MAX_PARAMETERS) throw invalid(`send ${MAX_PARAMETERS} parameters at most`);
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw invalid('send each parameter once');
  return new Map(pairs.filter(([, value]) => value !== ''));
}

/** @throws OAuthError invalid_request */
export function required(form: OAuthForm, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw invalid(`${name} is missing; send it as application/x-www-form-urlencoded`);
  return value;
}

const invalid = (message: string): OAuthError => new OAuthError('invalid_request', message);
