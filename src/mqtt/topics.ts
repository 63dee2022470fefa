import type { ServiceErrorCode } from '../errors/error-table.js';
import { isShadowName, isThingName } from '../document/shadow-name.js';

/** The one table of topics (PROTOCOL 1.1). Everything is parsed by token position: a shadow may be called `update`. */

export const OPERATIONS = ['get', 'update', 'delete'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What the service publishes below `$aws/things/{thing}/shadow[/name/{shadow}]/`. */
export const TAILS = [
  ...OPERATIONS.flatMap((operation) => [operation, `${operation}/accepted`, `${operation}/rejected`] as const),
  'update/delta',
  'update/documents',
] as const;
export type Tail = (typeof TAILS)[number];

/** Bytes of UTF-8 (PROTOCOL 1.1). */
export const MAX_TOPIC_BYTES = 256;

/** What connected clients publish a newer access token to. Policies are not asked, and nobody is sent it. */
export const RENEW_TOPIC = '$umbra/session/renew';

/** What tells of clients that come and go, as on AWS; the client identifier follows, which may have slashes. */
export const PRESENCE_TOPICS = {
  connected: '$aws/events/presence/connected/',
  disconnected: '$aws/events/presence/disconnected/',
} as const;

const ROOT = '$aws/things/';

export interface ShadowNames {
  readonly thing: string;
  /** null is the classic shadow. */
  readonly name: string | null;
}

export interface RequestTopic extends ShadowNames {
  readonly operation: Operation;
  /** Set when the topic is well formed but a name in it is not; the request is answered with this refusal. */
  readonly problem: ServiceErrorCode | null;
}

/** `$aws/things/{thing}/shadow[/name/{shadow}]`, to which `/` and a tail are added. */
export function shadowTopic({ thing, name }: ShadowNames): string {
  return name === null ? `${ROOT}${thing}/shadow` : `${ROOT}${thing}/shadow/name/${name}`;
}

/** The request that a published topic stands for, or null when it is none (PROTOCOL 1.6). */
export function parseRequestTopic(topic: string): RequestTopic | null {
  if (!isWithinLimits(topic)) return null;
  const [aws, things, thing, shadow, ...rest] = topic.split('/');
  if (aws !== '$aws' || things !== 'things' || shadow !== 'shadow' || !thing) return null;
  if (rest.length === 1) return requestOf(rest[0], thing, null);
  if (rest.length === 3 && rest[0] === 'name' && rest[1]) return requestOf(rest[2], thing, rest[1]);
  return null;
}

/** Whether a topic or a filter may exist at all: at most 256 bytes, and no NUL (MQTT-1.5.3-2). */
export function isWithinLimits(topic: string): boolean {
  // A UTF-16 unit is at most 3 bytes of UTF-8: short topics need no count.
  return (topic.length * 3 <= MAX_TOPIC_BYTES || Buffer.byteLength(topic) <= MAX_TOPIC_BYTES) && !topic.includes('\0');
}

function requestOf(operation: string | undefined, thing: string, name: string | null): RequestTopic | null {
  if (operation !== 'get' && operation !== 'update' && operation !== 'delete') return null;
  const problem = !isThingName(thing)
    ? 'invalidThingName'
    : name !== null && !isShadowName(name)
      ? 'invalidShadowName'
      : null;
  return { operation, thing, name, problem };
}
