import type { About, GrpcCall } from '../grpc/grpc-call.js';
import type { LeaseAsker } from './lease-access.js';

/** The member by which messages name a lease. */
export interface NamesLease {
  readonly lease: string;
}

/** Each thing of a lease is asked about by its handler. */
export const aboutLeases: About<unknown> = () => null;

/** No errors. */
export const askerOf = ({ principal, address: ip }: GrpcCall<unknown>): LeaseAsker => ({ principal, ip });
