import { FINGERPRINT, KEY_ID, PRINCIPAL_ID, SECRET_TEXT, TENANT_NAME } from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';
import type { RecordReader } from './record-reader.js';

/** What a key proves its owner by. Neither holds a secret in the clear. */
export type KeyProof =
  /** A key that is sent as it is, stored as a keyed hash. */
  | { readonly kind: 'secret'; readonly digest: string }
  /** An access key that signs requests: its secret is needed to check them, and is sealed. */
  | { readonly kind: 'aws'; readonly sealedSecret: string; readonly sessionTokenHash: string | null };

/** A key of a principal: `keys/{keyId}`. Ids are random, so they need no tenant. */
export interface KeyRecord {
  readonly tenant: string;
  readonly principal: string;
  readonly proof: KeyProof;
  readonly isDisabled: boolean;
  /** Epoch milliseconds. */
  readonly createdAtMs: number;
  /** Epoch milliseconds; null: it does not expire. */
  readonly expiresAtMs: number | null;
  /** For people: what the key is used for. */
  readonly title: string;
}

const PROOF_KINDS = ['secret', 'aws'] as const;
const MAX_TITLE = 256;

export const KEY: RecordKind<KeyRecord> = {
  noun: 'key',
  folder: 'keys',
  parts: [KEY_ID],
  maxBytes: MAX_RECORD_BYTES,
  most: 2_000_000,
  read: (reader) => ({
    tenant: reader.name('tenant', TENANT_NAME),
    principal: reader.name('principal', PRINCIPAL_ID),
    proof: reader.object('proof', readProof),
    isDisabled: reader.flag('disabled'),
    createdAtMs: reader.timeMs('createdAtMs'),
    expiresAtMs: reader.timeMsOrNull('expiresAtMs'),
    title: reader.text('title', MAX_TITLE),
  }),
  write: ({ isDisabled, ...rest }) => ({ ...rest, disabled: isDisabled }),
  // No digest equals the empty one: the check of a key compares whole hashes.
  closed: () => ({
    tenant: '',
    principal: '',
    proof: { kind: 'secret', digest: '' },
    isDisabled: true,
    createdAtMs: 0,
    expiresAtMs: 0,
    title: '',
  }),
};

function readProof(reader: RecordReader): KeyProof {
  const kind = reader.choice('kind', PROOF_KINDS);
  if (kind === 'secret') return { kind, digest: reader.name('digest', SECRET_TEXT) };
  return {
    kind,
    sealedSecret: reader.name('sealedSecret', SECRET_TEXT),
    sessionTokenHash: reader.nameOrNull('sessionTokenHash', FINGERPRINT),
  };
}
