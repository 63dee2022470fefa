import type { ServiceErrorCode } from '../errors/error-table.js';
import { ServiceError } from '../errors/service-error.js';
import type { TokenFault, TokenFaultName } from './tokens/token-fault.js';

const ROWS: Readonly<Record<TokenFaultName, ServiceErrorCode>> = {
  malformed: 'credentialsMissing',
  unknown: 'credentialsUnknown',
  expired: 'credentialsExpired',
  notYetValid: 'credentialsNotYetValid',
  revoked: 'credentialsRevoked',
  foreign: 'foreignToken',
  bound: 'boundToken',
  reused: 'refreshTokenReused',
};

/** Why a token is refused, for its caller. No errors. */
export const faultError = ({ fault, reason }: TokenFault): ServiceError =>
  new ServiceError(ROWS[fault], `: the token is refused, ${reason}`);
