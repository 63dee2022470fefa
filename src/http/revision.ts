import type { FastifyReply } from 'fastify';

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
