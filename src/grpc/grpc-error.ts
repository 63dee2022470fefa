import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { ERROR_TABLE, GRPC_BY_HTTP, type ErrorRow } from '../errors/error-table.js';
import type { ServiceError } from '../errors/service-error.js';
import { field, varint } from './wire.js';

/** `domain` of google.rpc.ErrorInfo. */
const DOMAIN = 'umbra';
const TYPE_URL = 'type.googleapis.com/google.rpc.';
/** Seconds that a rejected caller should wait before it tries again, as at the door of HTTP. */
const RETRY_SECONDS = 1;
/** Characters of a text; the block of headers has a limit. */
const MAX_TEXT = 1024;

/**
 * A row of the error table as the status of a call, with google.rpc.Status in `grpc-status-details-bin`: its ErrorInfo
 * names the row, and RetryInfo says that trying again may help. No errors.
 */
export function statusOf(error: ServiceError, requestId: string): StatusObject {
  const row: ErrorRow = ERROR_TABLE[error.code];
  const code = status[row.grpc ?? GRPC_BY_HTTP[row.http] ?? 'INTERNAL'];
  const details = wellFormed(error.message);
  const metadata = new Metadata();
  metadata.set('x-request-id', requestId);
  metadata.set('grpc-status-details-bin', richStatus(code, details, error, requestId));
  return { code, details, metadata };
}

/** Such as VERSION_CONFLICT. */
export const reasonOfCode = (code: string): string => code.replace(/[A-Z]/g, '_$&').toUpperCase();

function richStatus(code: status, details: string, error: ServiceError, requestId: string): Buffer {
  const { authCode, clientToken } = error;
  // Of a refused transaction: the place of the operation. Of a version that is gone: the oldest revision that is left.
  // Of a cursor that is gone: why.
  const { operation, oldest, reason } = error as { operation?: unknown; oldest?: unknown; reason?: unknown };
  const facts = {
    requestId,
    ...(authCode !== undefined && { code: authCode }),
    ...(clientToken !== undefined && { clientToken }),
    ...(typeof operation === 'number' && { operation: String(operation) }),
    ...(typeof oldest === 'number' && { oldestRevision: String(oldest) }),
    ...(typeof reason === 'string' && { reason }),
  };
  const info = Buffer.concat([
    field(1, reasonOfCode(error.code)),
    field(2, DOMAIN),
    ...Object.entries(facts).map(([key, value]) => field(3, Buffer.concat([field(1, key), field(2, value)]))),
  ]);
  const mayHelp = error.status === 429 || error.status === 503;
  const retry = field(1, Buffer.concat([Buffer.from([0x08]), varint(RETRY_SECONDS)]));
  return Buffer.concat([
    ...[Buffer.from([0x08]), varint(code), field(2, details)],
    field(3, any('ErrorInfo', info)),
    ...(mayHelp ? [field(3, any('RetryInfo', retry))] : []),
  ]);
}

const any = (type: string, value: Buffer): Buffer => Buffer.concat([field(1, TYPE_URL + type), field(2, value)]);

/** Half a surrogate pair, which a name in a document may hold, has no UTF-8: the library would throw at it. */
const wellFormed = (text: string): string => Buffer.from(text.slice(0, MAX_TEXT)).toString();
