import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../errors/service-error.js';

const MERGE_PATCH = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';

/** Answer header: what a PATCH takes (RFC 5789 section 3.1). */
export const ACCEPT_PATCH = { 'accept-patch': `${MERGE_PATCH}, ${JSON_PATCH}` };

/**
 * Whether the body of a PATCH is a JSON Patch. Any other type that names no format of patches is taken for JSON, as in all
 * requests.
 * @throws ServiceError unsupportedPatch for another format of patches
 */
export function isJsonPatch({ sentType }: FastifyRequest): boolean {
  if (sentType === null || sentType === 'application/json') return false;
  const type = sentType.split(';', 1)[0]!.trim().toLowerCase();
  if (type === JSON_PATCH) return true;
  if (type.includes('patch') && type !== MERGE_PATCH) throw new ServiceError('unsupportedPatch', type.slice(0, 100));
  return false;
}
