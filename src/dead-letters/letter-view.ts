import type { StoredLetter } from '../sinks/webhooks/dead-letters.js';
import type { DeadLetterView } from './dead-letters.openapi.js';

/** What is shown of a letter: not its body, since who administers sinks may not be allowed to read shadows. No errors. */
export function letterView({ letter }: StoredLetter): DeadLetterView {
  const { id, thing, shadow, version, revision, at, tries, reason, body } = letter;
  return {
    ...{ letter: id, thing, shadow, version, revision },
    givenUpAt: new Date(at).toISOString(),
    ...{ tries, reason, bytes: Buffer.byteLength(body) },
  };
}
