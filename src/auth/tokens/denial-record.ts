import { createHash } from 'node:crypto';

/** What is denied: one token of an issuer, or everything that was issued before a time. */
export type Denied =
  | { readonly kind: 'token'; readonly issuer: string; readonly id: string }
  | { readonly kind: 'principal'; readonly tenant: string; readonly principal: string }
  | { readonly kind: 'tenant'; readonly tenant: string };

export interface Denial {
  readonly denied: Denied;
  /** Epoch milliseconds: tokens that were issued earlier are denied. One token is denied whenever it was issued. */
  readonly before: number;
  /** Epoch milliseconds after which no such token is valid anyway. */
  readonly until: number;
  /** Client that had its own token denied, as `tenant/principal`, whose denials are counted; none: nobody's. */
  readonly by?: string;
}

const FORMAT = 1;

/** The same text for the same subject only. No errors. */
export function nameOfDenied(denied: Denied): string {
  if (denied.kind === 'token') return JSON.stringify(['token', denied.issuer, denied.id]);
  if (denied.kind === 'principal') return JSON.stringify(['principal', denied.tenant, denied.principal]);
  return JSON.stringify(['tenant', denied.tenant]);
}

/** Key of the record below the path of denials: names of other issuers may hold anything. No errors. */
export function keyOfDenied(denied: Denied): string {
  return createHash('sha256').update(nameOfDenied(denied)).digest('base64url');
}

/** No errors. */
export function encodeDenial(denial: Denial): string {
  return JSON.stringify({ format: FORMAT, ...denial });
}

/** @throws Error that names the format, or says that the record is damaged */
export function decodeDenial(text: string): Denial {
  const record = JSON.parse(text) as ({ format?: unknown } & Partial<Denial>) | null;
  if (record?.format !== FORMAT) {
    throw new Error(`A denial has format ${JSON.stringify(record?.format)}; this version reads ${FORMAT} only`);
  }
  const { denied, before, until, by } = record;
  if (!Number.isFinite(before) || !Number.isFinite(until) || !isDenied(denied)) throw new Error('A denial is damaged');
  return { denied, before: before as number, until: until as number, ...(typeof by === 'string' && { by }) };
}

function isDenied(value: Denied | undefined): value is Denied {
  const { kind, ...names } = (value ?? {}) as Record<string, unknown>;
  const needed = { token: ['issuer', 'id'], principal: ['tenant', 'principal'], tenant: ['tenant'] }[String(kind)];
  return needed?.every((name) => typeof names[name] === 'string') ?? false;
}
