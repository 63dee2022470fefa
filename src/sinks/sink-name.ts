import type { FastifyRequest } from 'fastify';
import { parameterOf, tenantOf } from '../http/record-request.js';

/** Tenant and name of the sink that a path names. No errors. */
export function sinkNames(request: FastifyRequest): readonly [string, string] {
  return [tenantOf(request), parameterOf(request, 'sink')];
}
