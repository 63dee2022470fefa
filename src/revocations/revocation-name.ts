import type { FastifyRequest } from 'fastify';
import { normalFingerprint } from '../auth/certificates/revocations.js';
import { parameterOf, tenantOf } from '../http/record-request.js';

export type RevocationNames = readonly [tenant: string, kind: string, id: string];

/** What a path says is revoked. Hashes may be written in other ways, which mean the same. No errors. */
export function revocationNames(request: FastifyRequest): RevocationNames {
  const [kind, given] = [parameterOf(request, 'kind'), parameterOf(request, 'id')];
  const id = kind === 'thing' ? given : (normalFingerprint(given) ?? given);
  return [tenantOf(request), kind, id];
}
