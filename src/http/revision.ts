import { Transform } from 'class-transformer';
import { IsInt, IsOptional } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { queryParameter } from './openapi/parameters.js';

/** Header of every answer that shows or changes shadows. */
const HEADER = 'umbra-revision';

/** Its description, for answers. */
export const REVISION = { [HEADER]: 'Revision of the store that the answer reflects, such as 1207.' };

/**
 * Says the revision of the store that an answer reflects: of a change, the revision of its commit; of a read, one at which
 * the read was made, so that every change up to it is in the answer. No errors.
 */
export function sayRevision(reply: FastifyReply, revision: number): void {
  void reply.header(HEADER, String(revision));
}

/** A revision in a query; `$property` stands for the parameter. */
export const REVISION_MESSAGE =
  '$property must be given once, as a revision that Umbra-Revision of an answer has named';
/** Up to 15 digits, which a double holds exactly. */
const REVISION_TEXT = /^[1-9]\d{0,14}$/;
export const REVISION_SCHEMA = { type: 'integer', minimum: 1, maximum: 999_999_999_999_999 };

/** The revision in a text of a query; null: it is none. No errors. */
export const revisionIn = (text: string): number | null => (REVISION_TEXT.test(text) ? Number(text) : null);

/** Of every read, list and stream. */
export const MIN_REVISION = queryParameter(
  'minRevision',
  'Umbra-Revision of an earlier answer: this answer shows everything up to it, or is 409.',
  REVISION_SCHEMA,
);

/** Checks `minRevision` in the query of a list or a stream. */
export const IsRevision = (): PropertyDecorator => (target, property) => {
  const toNumber = Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? (revisionIn(value) ?? value) : value,
  );
  for (const rule of [toNumber, IsOptional(), IsInt({ message: REVISION_MESSAGE })]) rule(target, property);
};
