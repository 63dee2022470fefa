import type { ShadowRecord } from '../store/shadow-store.js';

/**
 * Names one change: the same however often, and by which node, it is sent. A revision can come twice where a backup was
 * restored, and is then told by the epoch behind it. The classic shadow has no name. No errors.
 */
export function eventId({ key, position }: Pick<ShadowRecord, 'key' | 'position'>): string {
  const { revision, epoch } = position;
  return `${shadowId({ key })}/${revision}${epoch === 0 ? '' : `.${epoch}`}`;
}

/** Names a shadow: no part of it has a slash. No errors. */
export function shadowId({ key }: Pick<ShadowRecord, 'key'>): string {
  return `${key.tenant}/${key.thing}/${key.name ?? ''}`;
}
