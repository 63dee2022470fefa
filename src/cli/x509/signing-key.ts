import { createPrivateKey, generateKeyPairSync, webcrypto, type KeyObject } from 'node:crypto';
import { CliError, EXIT, usage } from '../exit-code.js';
import { nameOf, textOf } from '../json-file.js';
import type { Session } from '../session.js';

/** Curves by their names in OpenSSL, with their names and hashes in Web Cryptography. */
const CURVES: Readonly<Record<string, readonly [curve: string, hash: string]>> = {
  prime256v1: ['P-256', 'SHA-256'],
  secp384r1: ['P-384', 'SHA-384'],
  secp521r1: ['P-521', 'SHA-512'],
};
/** Bits of an RSA key that the service takes. */
const RSA_BITS = { min: 2048, max: 8192 } as const;

/** A private key and how it signs. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly hash: string;
  /** For Web Cryptography. */
  readonly algorithm: Readonly<Record<string, string>>;
}

/** A new key of the curve P-256, which every device and the service take. No errors. */
export const newKey = (): SigningKey =>
  signingKeyOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey, 'the key');

/** In PKCS #8, without a pass phrase. No errors. */
export const pemOfKey = ({ key }: SigningKey): string => key.export({ format: 'pem', type: 'pkcs8' }) as string;

/**
 * A private key from a file.
 * @param passphraseFile with the pass phrase of the key; without it a person is asked, if there is one
 * @throws CliError
 */
export async function readKey(session: Session, file: string, passphraseFile?: string): Promise<SigningKey> {
  const text = await textOf(file, session.around);
  const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
  const passphrase = isEncrypted ? await passphraseOf(session, file, passphraseFile) : undefined;
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, passphrase });
  } catch {
    // What OpenSSL says could show parts of the file.
    const hint = isEncrypted ? ', or the pass phrase is wrong' : '';
    throw usage(`${nameOf(file)}:1:1: there is no private key in PEM${hint}`);
  }
  return signingKeyOf(key, nameOf(file));
}

async function passphraseOf(session: Session, file: string, from?: string): Promise<string> {
  if (from !== undefined) {
    const passphrase = (await textOf(from, session.around)).replace(/\r?\n$/, '');
    session.around.secrets.add(passphrase);
    return passphrase;
  }
  if (!session.around.isInteractive) throw usage(`${nameOf(file)} is encrypted: give --passphrase-file FILE`);
  return session.ask(`Pass phrase of ${nameOf(file)}`);
}

/** A key of a kind that the service takes. @param what it is called in the error @throws CliError */
export function signingKeyOf(key: KeyObject, what: string): SigningKey {
  const { asymmetricKeyType: type, asymmetricKeyDetails: { namedCurve = '', modulusLength = 0 } = {} } = key;
  if (type === 'rsa' && modulusLength >= RSA_BITS.min && modulusLength <= RSA_BITS.max)
    return { key, hash: 'SHA-256', algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } };
  const [curve, hash] = CURVES[namedCurve] ?? [];
  if (type !== 'ec' || curve === undefined || hash === undefined)
    throw usage(`${what} is of another kind than EC (P-256, P-384, P-521) and RSA (2048 to 8192 bits)`);
  return { key, hash, algorithm: { name: 'ECDSA', namedCurve: curve } };
}

/** The key as Web Cryptography signs with it. @throws CliError */
export async function cryptoKeyOf({ key, algorithm }: SigningKey): Promise<webcrypto.CryptoKey> {
  const bytes = key.export({ format: 'der', type: 'pkcs8' });
  try {
    return await webcrypto.subtle.importKey('pkcs8', bytes, algorithm as never, false, ['sign']);
  } catch {
    throw new CliError(EXIT.failed, 'this Node cannot sign with the key');
  }
}
