import type { FastifyReply } from 'fastify';
import { acceptedHead } from '../document/message-texts.js';
import { epochSeconds } from '../document/metadata.js';
import type { ChangeRecord, ShadowDocument } from '../document/shadow-document.js';
import { entityTag } from '../http/conditions.js';
import { sendJsonText } from '../http/send-json.js';

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
  const { version } = document;
  void reply.header('etag', entityTag(version)).header('last-modified', new Date(change.at).toUTCString());
  const head = headOf(document, clientToken);
  sendJsonText(reply, `${head}${epochSeconds(nowMs)},"changedAt":"${changedAt(change)}"}`);
}

/** The document up to the value of its timestamp. Our own API has the client token before the version. */
function headOf(document: ShadowDocument, clientToken: string | undefined): string {
  const head = acceptedHead(document);
  if (clientToken === undefined) return head;
  const end = `"version":${document.version},"timestamp":`;
  return `${head.slice(0, -end.length)}"clientToken":${JSON.stringify(clientToken)},${end}`;
}
