import { ServiceError } from '../errors/service-error.js';
import { isShadowName, isThingName } from '../document/shadow-name.js';
import { bucketOf, BUCKETS } from './bucket.js';

/** Shadows of one thing that a page of things names at most; listNames pages through all of them. */
export const MAX_LISTED_SHADOWS = 100;

/** The place where a list of things continues: after `thing`, or at the start of `bucket` when `thing` is empty. */
export interface ThingPlace {
  readonly bucket: number;
  readonly thing: string;
}

const encode = (parts: readonly string[]): string => Buffer.from(parts.join('/')).toString('base64url');

function decode(token: string, kind: string, parts: number): string[] {
  const text = token.length <= 512 ? Buffer.from(token, 'base64url').toString('latin1') : '';
  const found = text.split('/');
  // Encoding again catches faults that base64url decoding ignores: foreign characters, a cut end.
  if (encode(found) !== token || found[0] !== kind || found.length !== parts) throw invalid();
  return found;
}

/** The error for a paging token that no page returned. A door names it as its own parameter (http/paging.dto.ts). */
export class PageTokenError extends ServiceError {
  constructor(parameter = 'page token') {
    super('invalidRequest', `Invalid ${parameter}: pass the value of the page before unchanged, or none`);
  }
}

const invalid = (): ServiceError => new PageTokenError();

/** Token of the page after `name`. */
export const encodeNamePage = (name: string): string => encode(['n1', name]);

/** @throws ServiceError invalidRequest for anything that encodeNamePage did not make */
export function decodeNamePage(token: string): string {
  const [, name = ''] = decode(token, 'n1', 2);
  if (!isShadowName(name)) throw invalid();
  return name;
}

/** Token of the page that begins after `thing`. */
export const encodeThingPage = (tenant: string, thing: string): string =>
  encode(['t1', String(bucketOf(tenant, thing)), thing]);

/** Token of the page that begins with `bucket`, 0 to 255. */
export const encodeBucketPage = (bucket: number): string => encode(['t1', String(bucket), '']);

/** @throws ServiceError invalidRequest for anything that was not made for this tenant */
export function decodeThingPage(token: string, tenant: string): ThingPlace {
  const [, number = '', thing = ''] = decode(token, 't1', 3);
  const bucket = /^\d{1,3}$/.test(number) ? Number(number) : BUCKETS;
  if (bucket >= BUCKETS) throw invalid();
  if (thing !== '' && (!isThingName(thing) || bucketOf(tenant, thing) !== bucket)) throw invalid();
  return { bucket, thing };
}
