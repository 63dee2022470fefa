import { createPublicKey, randomBytes, webcrypto, X509Certificate, type KeyObject } from 'node:crypto';
import { Boolean as DerBoolean, BitString, Integer, OctetString, Sequence, Set as DerSet, Utf8String } from 'asn1js';
import * as pki from 'pkijs';
import { usage } from '../exit-code.js';
import { nameOf, placeIn } from '../json-file.js';
import { bytesOfPem, pemOf } from './pem.js';
import { cryptoKeyOf, signingKeyOf, type SigningKey } from './signing-key.js';

/** Where the certificate of a device has the name of its thing. */
export type NameFrom = 'commonName' | 'dnsName' | 'uri';

/** A certificate that is to be made. */
export interface Wanted {
  readonly organization?: string | undefined;
  readonly commonName: string;
  /** A name of another kind, beside the common name or instead of it. */
  readonly alternativeName?: { readonly kind: Exclude<NameFrom, 'commonName'>; readonly name: string } | undefined;
  readonly days: number;
  readonly isAuthority?: boolean;
}

/** An authority whose key is here. */
export interface Issuer {
  readonly certificate: X509Certificate;
  readonly key: SigningKey;
}

const DAY_MS = 86_400_000;
/** Milliseconds by which a certificate begins before now: clocks differ. */
const BEFORE_MS = 3_600_000;
/** Bytes of a serial number, all random (RFC 5280 section 4.1.2.2 allows 20). */
const SERIAL_BYTES = 16;

const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;
/** Bits of the key usage: digitalSignature; keyCertSign and cRLSign. */
const USAGE = { device: [0x80, 7], authority: [0x06, 1] } as const;
/** Kinds of a GeneralName. */
const ALTERNATIVE = { dnsName: 2, uri: 6 } as const;

const engine = new pki.CryptoEngine({ name: 'node', crypto: webcrypto });

/**
 * Makes a certificate in PEM.
 * @param issuer null: it signs itself, with `own`
 * @throws CliError if it would outlive its issuer, or the issuer and its key do not fit
 */
export async function issue(
  wanted: Wanted,
  publicKey: KeyObject,
  issuer: Issuer | { readonly own: SigningKey },
): Promise<string> {
  const made = new pki.Certificate();
  const now = Math.floor(Date.now() / 1000) * 1000;
  const until = now + wanted.days * DAY_MS;
  const parent = 'own' in issuer ? null : issuer.certificate;
  if (parent) checkIssuer(parent, until);
  const parentAsn = parent && pki.Certificate.fromBER(parent.raw);
  made.version = 2;
  made.serialNumber = new Integer({ valueHex: arrayOf(serial()) });
  made.subject = nameOfSubject(wanted);
  made.issuer = parentAsn?.subject ?? made.subject;
  made.notBefore = timeOf(now - BEFORE_MS);
  made.notAfter = timeOf(until);
  made.subjectPublicKeyInfo = pki.PublicKeyInfo.fromBER(publicKey.export({ format: 'der', type: 'spki' }));
  made.extensions = await extensionsOf(wanted, made.subjectPublicKeyInfo, parentAsn);
  const key = 'own' in issuer ? issuer.own : issuer.key;
  await made.sign(await cryptoKeyOf(key), key.hash, engine);
  const bytes = Buffer.from(made.toSchema(true).toBER(false));
  const read = new X509Certificate(bytes);
  if (!read.verify(parent?.publicKey ?? publicKey)) throw usage('the key is not that of the authority');
  return pemOf(bytes, 'CERTIFICATE');
}

function checkIssuer(parent: X509Certificate, until: number): void {
  if (!parent.ca) throw usage('the certificate that is to issue is not one of an authority (CA:TRUE)');
  if (Date.parse(parent.validTo) < until)
    throw usage(`the authority ends at ${new Date(parent.validTo).toISOString()}: give fewer --days`);
}

function serial(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  // Positive, and as long as all others.
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}

/** UTCTime until 2049, as RFC 5280 wants it. */
const timeOf = (ms: number): pki.Time =>
  new pki.Time({ type: new Date(ms).getUTCFullYear() < 2050 ? 0 : 1, value: new Date(ms) });

/** A set for each part: the library would put all parts into one, which other programs show as one name. */
function nameOfSubject({ organization, commonName }: Pick<Wanted, 'organization' | 'commonName'>) {
  const parts = [
    ...(organization === undefined ? [] : [[OID.organization, organization] as const]),
    ...(commonName === '' ? [] : [[OID.commonName, commonName] as const]),
  ].map(([type, value]) => new pki.AttributeTypeAndValue({ type, value: new Utf8String({ value }) }));
  const name = new Sequence({ value: parts.map((part) => new DerSet({ value: [part.toSchema()] })) });
  return pki.RelativeDistinguishedNames.fromBER(name.toBER(false));
}

async function extensionsOf(
  { isAuthority = false, alternativeName, commonName }: Wanted,
  publicKey: pki.PublicKeyInfo,
  parent: pki.Certificate | null,
): Promise<pki.Extension[]> {
  const extension = (extnID: string, value: { toBER(sizeOnly: boolean): ArrayBuffer }, critical = false) =>
    new pki.Extension({ extnID, critical, extnValue: value.toBER(false) });
  const [bits, unusedBits] = isAuthority ? USAGE.authority : USAGE.device;
  const ownId = await keyIdOf(publicKey);
  const parentId = parent === null ? ownId : (givenKeyId(parent) ?? (await keyIdOf(parent.subjectPublicKeyInfo)));
  const extensions = [
    extension(
      OID.basicConstraints,
      new Sequence({ value: isAuthority ? [new DerBoolean({ value: true })] : [] }),
      true,
    ),
    extension(OID.keyUsage, new BitString({ valueHex: arrayOf(Buffer.from([bits])), unusedBits }), true),
    extension(OID.subjectKeyId, new OctetString({ valueHex: ownId })),
    extension(
      OID.authorityKeyId,
      new pki.AuthorityKeyIdentifier({ keyIdentifier: new OctetString({ valueHex: parentId }) }).toSchema(),
    ),
  ];
  if (!isAuthority)
    extensions.push(extension(OID.extendedKeyUsage, new pki.ExtKeyUsage({ keyPurposes: [OID.clientAuth] }).toSchema()));
  if (alternativeName) {
    const { kind, name } = alternativeName;
    const names = [new pki.GeneralName({ type: ALTERNATIVE[kind], value: name })];
    // RFC 5280 section 4.2.1.6: critical where it is the only name.
    extensions.push(extension(OID.alternativeName, new pki.GeneralNames({ names }).toSchema(), commonName === ''));
  }
  return extensions;
}

/** RFC 5280 section 4.2.1.2, method 1. */
const keyIdOf = ({ subjectPublicKey }: pki.PublicKeyInfo): Promise<ArrayBuffer> =>
  webcrypto.subtle.digest('SHA-1', subjectPublicKey.valueBlock.valueHexView);

/** What an authority calls its key. */
function givenKeyId({ extensions = [] }: pki.Certificate): ArrayBuffer | null {
  const found = extensions.find(({ extnID }) => extnID === OID.subjectKeyId)?.parsedValue as unknown;
  return found instanceof OctetString ? arrayOf(Buffer.from(found.valueBlock.valueHexView)) : null;
}

/** A request for a certificate (PKCS #10) in PEM. @throws CliError */
export async function requestFor(commonName: string, key: SigningKey): Promise<string> {
  const made = new pki.CertificationRequest();
  made.version = 0;
  made.subject = nameOfSubject({ commonName });
  const publicKey = createPublicKey(key.key).export({ format: 'der', type: 'spki' });
  made.subjectPublicKeyInfo = pki.PublicKeyInfo.fromBER(publicKey);
  made.attributes = [];
  await made.sign(await cryptoKeyOf(key), key.hash, engine);
  return pemOf(new Uint8Array(made.toSchema(true).toBER(false)), 'CERTIFICATE REQUEST');
}

/**
 * The public key of a request, whose owner has shown that the private one is there.
 * @param name of the thing: another one in the request is refused
 * @throws CliError with the place of the request
 */
export async function keyOfRequest(text: string, file: string, name: string): Promise<KeyObject> {
  const bytes = bytesOfPem(text, file, 'CERTIFICATE REQUEST');
  const at = placeIn(nameOf(file), text, text.indexOf('-----BEGIN'));
  let request: pki.CertificationRequest;
  let publicKey: KeyObject;
  let isSigned: boolean;
  try {
    request = pki.CertificationRequest.fromBER(arrayOf(bytes));
    const key = Buffer.from(request.subjectPublicKeyInfo.toSchema().toBER(false));
    publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
    isSigned = await request.verify(engine);
  } catch {
    throw usage(`${at}: this is no request for a certificate (PKCS #10) with a key of EC or RSA`);
  }
  signingKeyOf(publicKey, `${at}: the key`);
  if (!isSigned) throw usage(`${at}: the signature of the request is wrong`);
  for (const { type, value } of request.subject.typesAndValues) {
    const given = (value as Utf8String).valueBlock.value;
    if (type === OID.commonName && given !== name)
      throw usage(`${at}: the request is for ${JSON.stringify(given)}, not for ${name}`);
  }
  return publicKey;
}

/** The same bytes in a buffer of their own. */
const arrayOf = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;
