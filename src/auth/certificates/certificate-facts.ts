import { DerError, DerReader, TAG, constructedTag, contextTag, readBits, readTime, type Element } from './der.js';
import { NO_EXTENSIONS, readExtensions, type Extensions } from './extensions.js';

/** Bytes of a certificate; real ones of devices take 500 to 3,000. */
export const MAX_CERTIFICATE_BYTES = 16 * 1024;

/** What a certificate says of itself. Nothing of it has been checked against an authority. */
export interface CertificateFacts {
  /** DER of the names, one character a byte: equal texts are equal names. */
  readonly issuer: string;
  readonly subject: string;
  /** All common names (CN) of the subject, wherever they stand in it. */
  readonly commonNames: readonly NameValue[];
  /** Hexadecimal. */
  readonly serialNumber: string;
  /** Epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Object id of the signature's algorithm, its bytes in hexadecimal. */
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  readonly publicKey: PublicKeyFacts;
  readonly extensions: Extensions;
}

/** A public key. Object ids are their bytes in hexadecimal. */
export interface PublicKeyFacts {
  /** DER of the key with its algorithm (SubjectPublicKeyInfo). */
  readonly info: Buffer;
  readonly algorithm: string;
  /** Name of the curve; null for other kinds of keys, and for curves without a name. */
  readonly curve: string | null;
  /** The key alone, of which key identifiers are usually made (RFC 5280 section 4.2.1.2). */
  readonly bits: Buffer;
}

/** A value in a name, with the tag of its kind of text. */
export interface NameValue {
  readonly tag: number;
  readonly content: Buffer;
}

/** 2.5.4.3 */
const COMMON_NAME = '550403';

/**
 * Reads a certificate of RFC 5280 section 4.1 from its DER. The names that libraries make into one text are read part
 * by part, because a value with a line feed looks like two values there.
 *
 * @throws DerError malformed, longer than MAX_CERTIFICATE_BYTES, or two algorithms for one signature
 */
export function readCertificate(der: Buffer): CertificateFacts {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new DerError('the certificate is too long');
  const file = new DerReader(der);
  const certificate = file.enter(TAG.sequence);
  file.end();
  const signed = certificate.enter(TAG.sequence);
  const algorithm = certificate.next(TAG.sequence);
  const signature = readBits(certificate.next(TAG.bitString));
  certificate.end();
  return { ...readSigned(signed, algorithm.whole), signature };
}

function readSigned(signed: DerReader, algorithm: Buffer): Omit<CertificateFacts, 'signature'> {
  // Certificates without extensions, as openssl makes them by default, are of version 1 and do not say so.
  signed.optional(constructedTag(0));
  const serialNumber = signed.next(TAG.integer).content.toString('hex');
  const named = signed.next(TAG.sequence);
  // RFC 5280 section 4.1.1.2. The outer one is not signed, so it must not say anything of its own.
  if (!named.whole.equals(algorithm)) throw new DerError('two algorithms for one signature');
  const issuer = signed.next(TAG.sequence).whole.toString('latin1');
  const validity = signed.enter(TAG.sequence);
  const [notBeforeMs, notAfterMs] = [readTime(validity.next()), readTime(validity.next())];
  validity.end();
  const subject = signed.next(TAG.sequence);
  const publicKey = signed.next(TAG.sequence);
  for (const uniqueId of [1, 2]) signed.optional(contextTag(uniqueId));
  const extensions = signed.optional(constructedTag(3));
  signed.end();
  return {
    issuer,
    subject: subject.whole.toString('latin1'),
    commonNames: commonNamesOf(new DerReader(subject.content)),
    serialNumber,
    notBeforeMs,
    notAfterMs,
    signatureAlgorithm: new DerReader(named.content).next(TAG.objectId).content.toString('hex'),
    publicKey: publicKeyOf(publicKey),
    extensions: extensions ? extensionsOf(new DerReader(extensions.content)) : NO_EXTENSIONS,
  };
}

/** A name is a sequence of sets of pairs; a set may have several pairs (RFC 5280 section 4.1.2.4). */
function commonNamesOf(name: DerReader): NameValue[] {
  const found: NameValue[] = [];
  for (const set of name.rest(TAG.set)) {
    for (const { content } of new DerReader(set.content).rest(TAG.sequence)) {
      const pair = new DerReader(content);
      const type = pair.next(TAG.objectId).content.toString('hex');
      const value = pair.next();
      pair.end();
      if (type === COMMON_NAME) found.push(value);
    }
  }
  return found;
}

function publicKeyOf({ whole, content }: Element): PublicKeyFacts {
  const info = new DerReader(content);
  const algorithm = info.enter(TAG.sequence);
  const bits = readBits(info.next(TAG.bitString));
  info.end();
  return {
    ...{ info: whole, bits },
    algorithm: algorithm.next(TAG.objectId).content.toString('hex'),
    curve: algorithm.optional(TAG.objectId)?.content.toString('hex') ?? null,
  };
}

function extensionsOf(explicit: DerReader): Extensions {
  const list = explicit.enter(TAG.sequence);
  explicit.end();
  return readExtensions(list);
}
