import { acceptedHead, snapshotText } from '../document/message-texts.js';
import { traceMembers } from '../document/change-event.js';
import { deltaState } from '../document/delta.js';
import { epochSeconds } from '../document/metadata.js';
import { removedMembers } from '../document/removed-members.js';
import { isTombstone, type ShadowDocument } from '../document/shadow-document.js';
import { patchTextOf } from '../document/stored-document.js';
import type { Answer } from '../idempotency/kept-answer.js';
import { keptMessage } from '../idempotency/message-answer.js';
import type { Changed, ShadowKey, ShadowRecord } from '../store/shadow-store.js';
import type { PresenceUpdate } from '../store/presence-update.js';
import { thingPresenceEvent, type ThingPresenceEvent } from '../watch/event-text.js';
import type { DeletedRecord } from './delete.js';
import type { Before } from './documents-before.js';
import type { LiveRecord } from './get.js';

/**
 * Messages of shadow.proto, made of records. JSON in them is the text that HTTP and MQTT send (ADR 0025). A member that is
 * undefined is absent.
 */
export interface ShadowMessage {
  readonly thing: string;
  readonly shadow?: string;
  readonly version: number;
  readonly revision: number;
  readonly document: string;
  readonly changedAt: string;
  readonly clientToken?: string;
}

export type DeletedMessage = Omit<ShadowMessage, 'document'>;

export interface ChangeMessage {
  readonly kind: 'UPDATED' | 'DELETED';
  readonly tenant: string;
  readonly thing: string;
  readonly shadow?: string;
  readonly version: number;
  readonly revision: number;
  readonly time: string;
  readonly patch?: string;
  readonly removed?: { readonly pointers: readonly string[] };
  readonly delta?: string;
  readonly document?: string;
  readonly previous?: string;
  readonly previousMissing?: string;
  readonly clientToken?: string;
  readonly principal: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** The kind is the message itself; null stands for no member. */
export type PresenceMessage = Omit<ThingPresenceEvent, 'lastDisconnect' | 'kind'> & {
  readonly lastDisconnect?: { readonly reason: string; readonly at: string };
};

/** @throws Error for a record that is not readable */
export function presenceMessage(record: PresenceUpdate): PresenceMessage {
  const { lastDisconnect, ...members } = thingPresenceEvent(record);
  return { ...members, ...(lastDisconnect && { lastDisconnect }) };
}

/** @param nowMs epoch milliseconds of the answer */
export function shadowMessage(record: LiveRecord, nowMs: number, clientToken?: string): ShadowMessage {
  const { revision } = record.position;
  return { ...headOf(record), revision, document: documentText(record.state, nowMs), ...tokenOf(clientToken) };
}

export function deletedMessage(record: DeletedRecord): DeletedMessage {
  return { ...headOf(record), revision: record.position.revision, ...tokenOf(record.change.clientToken) };
}

/** The answer to an update, to be kept. @param made a document, not a tombstone. No errors. */
export function keptShadowMessage(key: ShadowKey, { state, change }: Changed): Answer {
  const document = documentText(state as ShadowDocument, change.at);
  return keptMessage({ ...headOf({ key, state, change }), document, ...tokenOf(change.clientToken) });
}

/** The answer to a delete, to be kept. No errors. */
export function keptDeletedMessage(key: ShadowKey, { state, change }: Changed): Answer {
  return keptMessage({ ...headOf({ key, state, change }), ...tokenOf(change.clientToken) });
}

/**
 * A change as streams have it: the members of a ChangeEvent (document/change-event.ts).
 * @param before what was before; undefined: nobody has asked
 */
export function changeMessage({ key, state, change, position }: ShadowRecord, before?: Before): ChangeMessage {
  const document = isTombstone(state) ? null : state;
  const delta = document && deltaState(document);
  const patch = patchTextOf(change);
  const pointers = removedMembers(change.patch ?? null, document === null);
  return {
    kind: document ? 'UPDATED' : 'DELETED',
    tenant: key.tenant,
    ...nameOf(key),
    version: state.version,
    revision: position.revision,
    time: timeOf(change.at),
    ...(patch !== 'null' && { patch }),
    ...(pointers !== null && { removed: { pointers } }),
    ...(delta && { delta: JSON.stringify(delta) }),
    ...(document && { document: snapshotText(document) }),
    ...previousOf(before),
    ...(change.clientToken !== undefined && { clientToken: change.clientToken }),
    principal: change.principal,
    ...(change.trace && traceMembers(change.trace)),
  };
}

function previousOf(before: Before | undefined): Pick<ChangeMessage, 'previous' | 'previousMissing'> {
  if (typeof before === 'string') return { previousMissing: before };
  return before === undefined || before === null || isTombstone(before) ? {} : { previous: snapshotText(before) };
}

type Head = Omit<DeletedMessage, 'revision' | 'clientToken'>;

function headOf({ key, state, change }: Omit<ShadowRecord, 'position'>): Head {
  return { ...nameOf(key), version: state.version, changedAt: timeOf(change.at) };
}

const documentText = (state: ShadowDocument, nowMs: number): string => `${acceptedHead(state)}${epochSeconds(nowMs)}}`;

const tokenOf = (clientToken: string | undefined): { readonly clientToken?: string } =>
  clientToken === undefined ? {} : { clientToken };

const nameOf = ({ thing, name }: ShadowKey): { thing: string; shadow?: string } =>
  name === null ? { thing } : { thing, shadow: name };

const timeOf = (ms: number): string => new Date(ms).toISOString();
