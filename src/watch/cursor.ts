import { ServiceError } from '../errors/service-error.js';
import type { Cursor } from './subscription.js';

/** First part of every cursor text; another layout gets another one. */
const VERSION = '1';
/** Characters of the longest text of this version. */
const MAX_TEXT = 128;
const SHAPE = /^1\.([A-Za-z0-9_-]{1,32})\.(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,8}|all)$/;

/** The cursor as an opaque text that is safe in URLs and headers. */
export function encodeCursor({ cluster, epoch, revision, seen }: Cursor): string {
  return Buffer.from([VERSION, cluster, epoch, revision, seen ?? 'all'].join('.')).toString('base64url');
}

/**
 * The cursor in a text from encodeCursor.
 * @throws ServiceError invalidRequest for any other text
 */
export function decodeCursor(text: string): Cursor {
  const plain = text.length <= MAX_TEXT ? Buffer.from(text, 'base64url').toString('latin1') : '';
  const [, cluster, epoch, revision, seen] = SHAPE.exec(plain) ?? [];
  const cursor: Cursor = {
    cluster: cluster ?? '',
    epoch: Number(epoch),
    revision: Number(revision),
    seen: seen === 'all' ? null : Number(seen),
  };
  const whole = Number.isSafeInteger(cursor.epoch) && Number.isSafeInteger(cursor.revision);
  // The decoder of base64 overlooks foreign characters and loose bits: only what we wrote ourselves is a cursor.
  if (cluster === undefined || !whole || encodeCursor(cursor) !== text) {
    throw new ServiceError('invalidRequest', 'Invalid cursor: send one back exactly as it was received');
  }
  return cursor;
}
