import type { FastifyRequest } from 'fastify';
import { normalFingerprint } from '../auth/certificates/revocations.js';
import { parameterOf, tenantOf } from '../http/record-request.js';

/** Tenant and fingerprint of the authority that a path names. Other writings of a fingerprint mean the same. No errors. */
export function authorityNames(request: FastifyRequest): readonly [string, string] {
  const given = parameterOf(request, 'authority');
  return [tenantOf(request), normalFingerprint(given) ?? given];
}
