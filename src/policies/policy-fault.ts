/**
 * A policy document that is refused. `message` is for its author: the place, such as `Statement[1].Condition.Foo`, and
 * what to write instead.
 */
export class PolicyFault extends Error {
  override readonly name = 'PolicyFault';

  /**
   * @param place path of members from the root of the document; an empty string is the document itself
   * @param reason what is wrong there, without the place
   */
  constructor(
    readonly place: string,
    readonly reason: string,
  ) {
    super(place === '' ? reason : `${place}: ${reason}`);
  }
}

/** Characters of foreign text that a message repeats. */
const MAX_QUOTED = 64;

/** A text of the document as messages show it: quoted, without control characters, cut off at 64. No errors. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}

/** Names that places show as they are: those of the documents that people write. */
const PLAIN_NAME = /^[\w:./[\]@-]{1,128}$/;

/** The place of a member in the object at `at`; a name with anything strange in it is quoted. No errors. */
export function memberPlace(at: string, name: string): string {
  const shown = PLAIN_NAME.test(name) ? name : quoted(name);
  return at === '' ? shown : `${at}.${shown}`;
}
