import { DerError, DerReader, TAG, constructedTag, contextTag, readBits, readBoolean, type Element } from './der.js';

/** Kinds of a subject's alternative name that can name a thing, with their tags (RFC 5280 section 4.2.1.6). */
export const ALTERNATIVE_NAME_TAG = { dnsName: contextTag(2), uri: contextTag(6) } as const;

/** What the extensions of one certificate say; null: the certificate does not have the extension. */
export interface Extensions {
  readonly isAuthority: boolean | null;
  /** Bits as in the certificate: the highest one of the first byte is `digitalSignature`. */
  readonly keyUsage: Buffer | null;
  /** Object ids, their bytes in hexadecimal. */
  readonly extendedKeyUsages: readonly string[] | null;
  readonly alternativeNames: readonly Element[] | null;
  /** Hexadecimal. */
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: string | null;
  /** Whether a critical extension is there that this service does not apply: such a certificate must be refused. */
  readonly hasUnknownCritical: boolean;
}

export const NO_EXTENSIONS: Extensions = {
  isAuthority: null,
  keyUsage: null,
  extendedKeyUsages: null,
  alternativeNames: null,
  subjectKeyId: null,
  authorityKeyId: null,
  hasUnknownCritical: false,
};

/** Extensions of one certificate; real ones have about ten. */
const MAX_EXTENSIONS = 64;

type Known = { -readonly [Name in keyof Extensions]: Extensions[Name] };
type Reader = (into: Known, value: DerReader) => void;

/** Readers by object id, its bytes in hexadecimal: 551d is 2.5.29. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['551d13', readBasicConstraints],
  ['551d0f', (into, value) => (into.keyUsage = readBits(value.next(TAG.bitString)))],
  ['551d25', (into, value) => (into.extendedKeyUsages = readObjectIds(value.enter(TAG.sequence)))],
  ['551d11', (into, value) => (into.alternativeNames = [...value.enter(TAG.sequence).rest()])],
  ['551d0e', (into, value) => (into.subjectKeyId = value.next(TAG.octetString).content.toString('hex'))],
  ['551d23', readAuthorityKeyId],
]);

/**
 * Reads the content of `Extensions` of RFC 5280 section 4.1.
 *
 * @throws DerError malformed, or an extension that is there twice (RFC 5280 section 4.2)
 */
export function readExtensions(list: DerReader): Extensions {
  const known: Known = { ...NO_EXTENSIONS };
  const seen = new Set<string>();
  for (const { content } of list.rest(TAG.sequence)) {
    const extension = new DerReader(content);
    const id = extension.next(TAG.objectId).content.toString('hex');
    const critical = extension.optional(TAG.boolean);
    const value = new DerReader(extension.next(TAG.octetString).content);
    extension.end();
    if (seen.has(id) || seen.size === MAX_EXTENSIONS) throw new DerError('an extension twice, or too many');
    seen.add(id);
    const read = READERS.get(id);
    if (read) {
      read(known, value);
      value.end();
    } else if (critical && readBoolean(critical)) {
      known.hasUnknownCritical = true;
    }
  }
  return known;
}

/** The length of the path is not kept: only an authority that is registered itself can issue for devices. */
function readBasicConstraints(into: Known, value: DerReader): void {
  const constraints = value.enter(TAG.sequence);
  const isAuthority = constraints.optional(TAG.boolean);
  into.isAuthority = isAuthority !== null && readBoolean(isAuthority);
  constraints.optional(TAG.integer);
  constraints.end();
}

function readAuthorityKeyId(into: Known, value: DerReader): void {
  const parts = value.enter(TAG.sequence);
  into.authorityKeyId = parts.optional(contextTag(0))?.content.toString('hex') ?? null;
  // The name and serial number of the issuer's own certificate: an authority is found by its key instead.
  parts.optional(constructedTag(1));
  parts.optional(contextTag(2));
  parts.end();
}

function readObjectIds(list: DerReader): string[] {
  return [...list.rest(TAG.objectId)].map(({ content }) => content.toString('hex'));
}
