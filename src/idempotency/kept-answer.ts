import { randomBytes } from 'node:crypto';

/** An answer to a request that was carried out, apart from what differs each time it is sent. */
export interface Answer {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
  /** Where in the body the revision of the commit belongs, which is not known before it; absent: nowhere. */
  readonly revisionAt?: number;
}

/** An answer as it is stored. */
export interface KeptAnswer extends Answer {
  /** Of the request that was carried out. */
  readonly fingerprint: string;
}

/** The text that is stored. No two are equal, so that a transaction finds its own again. No errors. */
export function keptText({ status, headers, body, revisionAt, fingerprint }: KeptAnswer): string {
  const id = randomBytes(9).toString('base64url');
  return JSON.stringify({ fingerprint, status, headers, body, revisionAt, id });
}

/** Reads what keptText has written. @throws SyntaxError for what it has not */
export function keptAnswer(text: string): KeptAnswer {
  return JSON.parse(text) as KeptAnswer;
}

/** The body as it is sent. @param revision of the commit. No errors. */
export function sentBody({ body, revisionAt }: Answer, revision: number): string {
  return revisionAt === undefined ? body : `${body.slice(0, revisionAt)}${revision}${body.slice(revisionAt)}`;
}
