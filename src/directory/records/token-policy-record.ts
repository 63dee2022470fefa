import type { RecordKind } from './record-kind.js';

/** The one record `token-policy`. */
export interface TokenPolicyRecord {
  /** The file as it was sent, with its comments. */
  readonly yaml: string;
}

const MAX_YAML = 64 * 1024;

export const TOKEN_POLICY: RecordKind<TokenPolicyRecord> = {
  noun: 'token policy',
  folder: 'token-policy',
  parts: [],
  // JSON writes a control character in six bytes.
  maxBytes: 6 * MAX_YAML + 1024,
  most: 1,
  read: (reader) => ({ yaml: reader.text('yaml', MAX_YAML) }),
  write: (record) => record,
  // No policy of a token can be read from it, so no token is issued by it.
  closed: () => ({ yaml: '' }),
};
