/**
 * Credentials by their form: keys and refresh tokens of the service, signed tokens, and private keys. In arguments they
 * are refused, and they never come into a message.
 */
const BY_FORM =
  /um[kr]_[\w.~-]+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----[\w+/=\s\\]*(?:-----END [A-Z ]+-----)?/g;

/** Shorter texts are no secrets, and would be found everywhere. */
const SHORTEST = 8;

const MASK = '***';

/** Whether a text has a credential in it. No errors. */
export const hasSecret = (text: string): boolean => new RegExp(BY_FORM).test(text);

/** The credentials that a command has read. */
export class Secrets {
  readonly #texts = new Set<string>();

  /** No errors. */
  add(text: string | undefined): void {
    if (text === undefined || text.length < SHORTEST) return;
    this.#texts.add(text);
    // As it stands in JSON.
    this.#texts.add(JSON.stringify(text).slice(1, -1));
  }

  /** The text without them, and without whatever looks like a credential. No errors. */
  masked(text: string): string {
    const known = [...this.#texts].reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
    return known.replace(BY_FORM, MASK);
  }
}
