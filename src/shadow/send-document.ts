import type { FastifyReply } from 'fastify';
import { acceptedHead, deleteAcceptedText, updateAcceptedText } from '../document/message-texts.js';
import { epochSeconds } from '../document/metadata.js';
import type { ChangeRecord, ShadowDocument, Tombstone } from '../document/shadow-document.js';
import { entityTag } from '../http/conditions.js';
import { sendJsonText } from '../http/send-json.js';
import type { Answer } from '../idempotency/kept-answer.js';
import type { Changed } from '../store/shadow-store.js';

/** The time of the last change in the form of our own API: ISO 8601, UTC, in milliseconds. */
export const changedAt = ({ at }: ChangeRecord): string => new Date(at).toISOString();

/**
 * Sends a document of our own API: the document of AWS, and when it last changed. Its version is the entity tag.
 * `Last-Modified` is for people: whole seconds are too coarse for a condition, so no condition is evaluated against it.
 */
export function sendDocument(
  reply: FastifyReply,
  document: ShadowDocument,
  change: ChangeRecord,
  nowMs: number,
  clientToken?: string,
): void {
  void reply.header('etag', entityTag(document.version)).header('last-modified', lastModified(change));
  sendJsonText(reply, documentText(document, change, nowMs, clientToken));
}

/** The answer to an update of our own API, to be kept. @param made a document, not a tombstone. No errors. */
export function updateAnswer({ state, change }: Changed): Answer {
  const document = state as ShadowDocument;
  const headers = { etag: entityTag(document.version), 'last-modified': lastModified(change) };
  return { status: 200, headers, body: documentText(document, change, change.at, change.clientToken) };
}

/** The answer to an update of the AWS data plane, to be kept. @param made as of updateAnswer. No errors. */
export function awsUpdateAnswer({ state, change }: Changed): Answer {
  return { status: 200, headers: {}, body: updateAcceptedText(state as ShadowDocument, change) };
}

/** The answer to a delete, to be kept. @param made a tombstone. No errors. */
export function deleteAnswer({ state, change }: Changed): Answer {
  return { status: 200, headers: {}, body: deleteAcceptedText(state as Tombstone, change) };
}

const lastModified = ({ at }: ChangeRecord): string => new Date(at).toUTCString();

function documentText(document: ShadowDocument, change: ChangeRecord, nowMs: number, clientToken?: string): string {
  return `${headOf(document, clientToken)}${epochSeconds(nowMs)},"changedAt":"${changedAt(change)}"}`;
}

/** The document up to the value of its timestamp. Our own API has the client token before the version. */
function headOf(document: ShadowDocument, clientToken: string | undefined): string {
  const head = acceptedHead(document);
  if (clientToken === undefined) return head;
  const end = `"version":${document.version},"timestamp":`;
  return `${head.slice(0, -end.length)}"clientToken":${JSON.stringify(clientToken)},${end}`;
}
