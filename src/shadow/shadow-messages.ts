import { acceptedHead, snapshotText } from '../document/message-texts.js';
import { deltaState } from '../document/delta.js';
import { epochSeconds } from '../document/metadata.js';
import { removedMembers } from '../document/removed-members.js';
import { isTombstone } from '../document/shadow-document.js';
import { patchTextOf } from '../document/stored-document.js';
import type { ShadowKey, ShadowRecord } from '../store/shadow-store.js';
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
}

/** @param nowMs epoch milliseconds of the answer */
export function shadowMessage(record: LiveRecord, nowMs: number, clientToken?: string): ShadowMessage {
  const document = `${acceptedHead(record.state)}${epochSeconds(nowMs)}}`;
  return { ...headOf(record), document, ...(clientToken !== undefined && { clientToken }) };
}

export function deletedMessage(record: DeletedRecord): DeletedMessage {
  const { clientToken } = record.change;
  return { ...headOf(record), ...(clientToken !== undefined && { clientToken }) };
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
  };
}

function previousOf(before: Before | undefined): Pick<ChangeMessage, 'previous' | 'previousMissing'> {
  if (typeof before === 'string') return { previousMissing: before };
  return before === undefined || before === null || isTombstone(before) ? {} : { previous: snapshotText(before) };
}

function headOf({ key, state, change, position }: ShadowRecord): DeletedMessage {
  const { version } = state;
  return { ...nameOf(key), version, revision: position.revision, changedAt: timeOf(change.at) };
}

const nameOf = ({ thing, name }: ShadowKey): { thing: string; shadow?: string } =>
  name === null ? { thing } : { thing, shadow: name };

const timeOf = (ms: number): string => new Date(ms).toISOString();
