import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import type { Precondition } from '../store/shadow-store.js';

interface EntityTag {
  readonly weak: boolean;
  readonly value: string;
}
type EntityTags = '*' | readonly EntityTag[];

/** If-Match and If-None-Match of one request (RFC 9110 section 13.1); the entity tag of a shadow is its version. */
export interface Conditions {
  readonly ifMatch?: EntityTags;
  readonly ifNoneMatch?: EntityTags;
}

/** Entity tags in one header at most; a request with more is rejected. */
const MAX_TAGS = 32;
// RFC 9110 section 8.8.3: any visible character except the quote.
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

export const entityTag = (version: number): string => `"${version}"`;

const NONE: Conditions = Object.freeze({});

/** The conditions of a request. @throws as parseConditions */
export function conditionsOf({ headers }: FastifyRequest): Conditions {
  const hasNone = headers['if-match'] === undefined && headers['if-none-match'] === undefined;
  return hasNone ? NONE : parseConditions(headers);
}

/**
 * For a request whose target has no version: a condition that nobody checks must not pass for one that held.
 * @throws ServiceError invalidRequest when the request carries a condition
 */
export function withoutConditions({ headers }: FastifyRequest): void {
  if (headers['if-match'] === undefined && headers['if-none-match'] === undefined) return;
  throw new ServiceError('invalidRequest', 'A thing has no version: leave If-Match and If-None-Match to its shadows');
}

/** @throws ServiceError invalidRequest for a header that is neither `*` nor a list of quoted tags */
export function parseConditions(headers: IncomingHttpHeaders): Conditions {
  const ifMatch = parseTags('If-Match', headers['if-match']);
  const ifNoneMatch = parseTags('If-None-Match', headers['if-none-match']);
  return { ...(ifMatch && { ifMatch }), ...(ifNoneMatch && { ifNoneMatch }) };
}

/**
 * Evaluates the conditions against the present state, If-Match first. A deleted shadow has no tag. `match` and
 * `none-match` name the condition that failed; after `none-match` a reader already has this version.
 */
export function evaluate(
  { ifMatch, ifNoneMatch }: Conditions,
  current: ShadowState | null,
): 'pass' | 'match' | 'none-match' {
  const version = versionOf(current);
  if (ifMatch && !includes(ifMatch, version, 'strong')) return 'match';
  if (ifNoneMatch && includes(ifNoneMatch, version, 'weak')) return 'none-match';
  return 'pass';
}

/** A precondition that throws preconditionFailed when a condition fails; undefined without conditions. */
export function preconditionOf(conditions: Conditions): Precondition | undefined {
  if (!conditions.ifMatch && !conditions.ifNoneMatch) return undefined;
  return (current) => {
    if (evaluate(conditions, current) !== 'pass') throw preconditionFailed(current);
  };
}

export function preconditionFailed(current: ShadowState | null): ServiceError {
  const version = versionOf(current);
  return new ServiceError(
    'preconditionFailed',
    version === null ? 'the shadow does not exist' : `the shadow is at version ${version}`,
  );
}

function versionOf(current: ShadowState | null): number | null {
  return current === null || isTombstone(current) ? null : current.version;
}

function includes(tags: EntityTags, version: number | null, comparison: 'strong' | 'weak'): boolean {
  if (version === null) return false;
  if (tags === '*') return true;
  return tags.some(({ weak, value }) => value === String(version) && (comparison === 'weak' || !weak));
}

function parseTags(header: string, text: string | undefined): EntityTags | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === '*') return '*';
  // Our own tags contain no comma. A tag with a comma is split into pieces that are no tags, and so rejected.
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const tags = parts.slice(0, MAX_TAGS + 1).map((part) => TAG.exec(part));
  if (tags.length === 0 || tags.length > MAX_TAGS || tags.includes(null)) {
    throw new ServiceError(
      'invalidRequest',
      `${header} must be * or a list of at most ${MAX_TAGS} quoted versions such as "3"`,
    );
  }
  return tags.map((match) => ({ weak: match?.[1] !== undefined, value: match?.[2] ?? '' }));
}
