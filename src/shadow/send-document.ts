import type { FastifyReply } from 'fastify';
import type { GetAccepted } from '../document/messages.js';
import type { ChangeRecord } from '../document/shadow-document.js';
import { entityTag } from '../http/conditions.js';
import { sendJson } from '../http/send-json.js';

/** The time of the last change in the form of our own API: ISO 8601, UTC, in milliseconds. */
export const changedAt = ({ at }: ChangeRecord): string => new Date(at).toISOString();

/**
 * Sends a document of our own API: the document of AWS, and when it last changed. Its version is the entity tag.
 * `Last-Modified` is for people: whole seconds are too coarse for a condition, so no condition is evaluated against it.
 */
export function sendDocument(reply: FastifyReply, document: GetAccepted, change: ChangeRecord): void {
  const { version, timestamp, ...rest } = document;
  void reply.header('etag', entityTag(version)).header('last-modified', new Date(change.at).toUTCString());
  sendJson(reply, { ...rest, version, timestamp, changedAt: changedAt(change) });
}
