import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/**
 * Certificates with any fault in them. Tools issue only good ones, so this writes DER by itself; that OpenSSL reads it
 * is seen wherever a test uses it over TLS.
 */
export interface Issued {
  readonly der: Buffer;
  readonly pem: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Of its private key, in PEM. */
  readonly key: string;
  /** DER of its subject. */
  readonly subject: Buffer;
}

export interface CertificateParts {
  /** DER of a Name. */
  readonly subject?: Buffer;
  /** Epoch milliseconds. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly extensions?: readonly Buffer[];
  readonly keys?: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  readonly digest?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** DER of the times; instead of `notBefore` and `notAfter`. */
  readonly validity?: Buffer;
  /** DER of the algorithm behind the signed part; that of the signed part by default. */
  readonly outerAlgorithm?: Buffer;
}

/** One element of DER. */
export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}

const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');
export const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const set = (...parts: readonly Buffer[]): Buffer => der(0x31, ...parts);
const objectId = (digits: string): Buffer => der(0x06, hex(digits));
export const octets = (...parts: readonly Buffer[]): Buffer => der(0x04, ...parts);
const bits = (bytes: Buffer, unused = 0): Buffer => der(0x03, Buffer.from([unused]), bytes);
const generalizedTime = (ms: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));

/** A pair of type and value of a name. */
const pair = (type: string, value: string | Buffer, tag = 0x0c): Buffer =>
  sequence(objectId(type), der(tag, Buffer.isBuffer(value) ? value : Buffer.from(value)));
/** A common name; UTF8String by default. */
export const cn = (value: string | Buffer, tag?: number): Buffer => pair('550403', value, tag);
export const organization = (value: string): Buffer => pair('55040a', value);
/** A Name of one pair for each set. */
export const nameOf = (...pairs: readonly Buffer[]): Buffer => sequence(...pairs.map((each) => set(each)));
/** A Name with all pairs in one set. */
export const oneSet = (...pairs: readonly Buffer[]): Buffer => sequence(set(...pairs));

const TRUE = der(0x01, hex('ff'));
export const extension = (id: string, value: Buffer, critical = false): Buffer =>
  sequence(objectId(id), ...(critical ? [TRUE] : []), octets(value));
export const basicConstraints = (isAuthority: boolean): Buffer =>
  extension('551d13', isAuthority ? sequence(TRUE) : sequence(), true);
/** @param first byte of the key usage: 0x80 is digitalSignature, 0x20 keyEncipherment, 0x04 keyCertSign */
export const keyUsage = (first: number): Buffer => {
  const unused = Math.clz32(first & -first) === 32 ? 0 : 31 - Math.clz32(first & -first);
  return extension('551d0f', bits(Buffer.from([first]), unused), true);
};
export const extendedKeyUsage = (...ids: readonly string[]): Buffer =>
  extension('551d25', sequence(...ids.map(objectId)));
export const CLIENT_AUTH_ID = '2b06010505070302';
export const SERVER_AUTH_ID = '2b06010505070301';
export const subjectKeyId = (id: Buffer): Buffer => extension('551d0e', octets(id));
export const authorityKeyId = (id: Buffer): Buffer => extension('551d23', sequence(der(0x80, id)));
export const dnsName = (name: string | Buffer): Buffer => der(0x82, Buffer.from(name as string));
export const uri = (name: string): Buffer => der(0x86, Buffer.from(name));
export const alternativeNames = (...names: readonly Buffer[]): Buffer => extension('551d11', sequence(...names));

export const ecKeys = (
  namedCurve: 'P-256' | 'P-384' | 'P-521' | 'secp256k1' = 'P-256',
): { privateKey: KeyObject; publicKey: KeyObject } => generateKeyPairSync('ec', { namedCurve });
export const rsaKeys = (modulusLength: number): { privateKey: KeyObject; publicKey: KeyObject } =>
  generateKeyPairSync('rsa', { modulusLength });

const NULL = der(0x05);
const ALGORITHMS: Record<string, Buffer> = {
  'ec sha1': sequence(objectId('2a8648ce3d0401')),
  'ec sha256': sequence(objectId('2a8648ce3d040302')),
  'ec sha384': sequence(objectId('2a8648ce3d040303')),
  'ec sha512': sequence(objectId('2a8648ce3d040304')),
  'rsa sha1': sequence(objectId('2a864886f70d010105'), NULL),
  'rsa sha256': sequence(objectId('2a864886f70d01010b'), NULL),
  'ed25519 sha256': sequence(objectId('2b6570')),
};

const DAY_MS = 86_400_000;
let serial = 1;

/** A certificate of `parts`, signed by an issuer or by itself. Valid from yesterday for two days by default. */
export function issue(issuer: Issued | null, parts: CertificateParts = {}): Issued {
  const keys = parts.keys ?? ecKeys();
  const subject = parts.subject ?? nameOf(cn('lamp-1'));
  const signer = issuer?.privateKey ?? keys.privateKey;
  const digest = parts.digest ?? 'sha256';
  const algorithm = ALGORITHMS[`${signer.asymmetricKeyType} ${digest}`];
  if (!algorithm) throw new Error('no such algorithm');
  const [from, to] = [parts.notBefore ?? Date.now() - DAY_MS, parts.notAfter ?? Date.now() + DAY_MS];
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, hex((0x1000_0000 + serial++).toString(16))),
    algorithm,
    issuer?.subject ?? subject,
    parts.validity ?? sequence(generalizedTime(from), generalizedTime(to)),
    subject,
    keys.publicKey.export({ format: 'der', type: 'spki' }),
    ...(parts.extensions ? [der(0xa3, sequence(...parts.extensions))] : []),
  );
  const signature = sign(signer.asymmetricKeyType === 'ed25519' ? null : digest, signed, signer);
  const certificate = sequence(signed, parts.outerAlgorithm ?? algorithm, bits(signature));
  return {
    der: certificate,
    pem: pemOf(certificate),
    ...{ privateKey: keys.privateKey, publicKey: keys.publicKey, subject },
    key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  };
}

export function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

export interface AuthorityParts extends CertificateParts {
  readonly name?: string;
  /** The authority above it; none: it has signed itself. */
  readonly issuer?: Issued;
}

/** An authority with the extensions that one should have, unless `parts` has others. */
export function issueAuthority(parts: AuthorityParts = {}): Issued {
  const keys = parts.keys ?? ecKeys();
  const extensions = [basicConstraints(true), keyUsage(0x06), subjectKeyId(keyIdOf(keys.publicKey))];
  const subject = nameOf(organization('Umbra'), cn(parts.name ?? 'Test authority'));
  return issue(parts.issuer ?? null, { subject, extensions, ...parts, keys });
}

/** A key identifier: the SHA-1 of a key. */
export function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest();
}
