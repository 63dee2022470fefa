import { createHash } from 'node:crypto';
import type { ShadowRecord } from '../../store/shadow-store.js';
import { eventHead, eventText, happenedAt } from '../../watch/event-text.js';

const TYPES = { updated: 'shadow.updated', deleted: 'shadow.deleted', presence: 'thing.presence' } as const;

/** What one change is for a receiver. */
export interface WebhookMessage {
  /** The same for every copy of the change, whichever node sends it; in the order of the revisions as text. */
  readonly id: string;
  readonly type: (typeof TYPES)[keyof typeof TYPES];
  /** JSON: type, timestamp and data, as Standard Webhooks recommends. */
  readonly body: string;
}

/** Digits of a revision in an id: of the largest safe integer. */
const DIGITS = 16;
/** Bytes of the hash in an id. The revision is beside it, so it tells apart the few shadows of one revision. */
const HASH_BYTES = 12;

/** The id of a change. A restored backup may give a revision out again, so the history is part of it. No errors. */
export function messageId({ key, position }: Pick<ShadowRecord, 'key' | 'position'>): string {
  const named = [position.cluster, position.epoch, key.tenant, key.thing, key.name];
  const hash = createHash('sha256').update(JSON.stringify(named)).digest().subarray(0, HASH_BYTES);
  return `evt_${String(position.revision).padStart(DIGITS, '0')}_${hash.toString('base64url')}`;
}

/** The message of a stored change. No errors. */
export function webhookMessage(record: ShadowRecord): WebhookMessage {
  const type = TYPES[eventHead(record).kind];
  const timestamp = new Date(happenedAt(record)).toISOString();
  const body = `{"type":"${type}","timestamp":"${timestamp}","data":${eventText(record)}}`;
  return { id: messageId(record), type, body };
}
