import { builtin } from '../builtin.js';
import { clientError } from '../umbra-error.js';

/** Of a certificate that a server has shown, what is used here. */
export interface ShownCertificate {
  /** DER. */
  readonly raw: Uint8Array;
}

/** The option `checkServerIdentity` of `tls.connect`. */
export type IdentityCheck = (host: string, certificate: ShownCertificate) => Error | undefined;

/** The code of the error of a server with another key. */
export const MISMATCH = 'ERR_TLS_PIN_MISMATCH';

interface Tls {
  checkServerIdentity: IdentityCheck;
}
interface Crypto {
  X509Certificate: new (der: Uint8Array) => {
    publicKey: { export(options: { type: 'spki'; format: 'der' }): Uint8Array };
  };
  createHash(name: 'sha256'): { update(bytes: Uint8Array): { digest(encoding: 'base64'): string } };
}

/**
 * Lets only servers in whose own certificate has the name and one of these keys. The authorities of a chain do not count:
 * a server sends what it likes there. For Node.
 * @param pins base64 of the SHA-256 of a public key (SPKI), also behind `sha256/` or `sha256//`
 * @throws UmbraError invalid-argument for a pin that is none, for no pins, and elsewhere than on Node
 */
export function identityCheck(pins: readonly string[]): IdentityCheck {
  const wanted = new Set(pins.map(digestOf));
  if (wanted.size === 0) throw clientError('invalid-argument', 'tls.pins is empty: give a pin, or leave it out');
  const [tls, crypto] = [builtin<Tls>('node:tls'), builtin<Crypto>('node:crypto')];
  if (!tls || !crypto) throw clientError('invalid-argument', 'browsers let nobody choose keys of servers');
  return (host, certificate) => {
    const wrong = tls.checkServerIdentity(host, certificate);
    if (wrong) return wrong;
    const key = new crypto.X509Certificate(certificate.raw).publicKey.export({ type: 'spki', format: 'der' });
    const found = crypto.createHash('sha256').update(key).digest('base64');
    if (wanted.has(found)) return undefined;
    return Object.assign(new Error(`${host} has another key than those of tls.pins: sha256/${found}`), {
      code: MISMATCH,
    });
  };
}

/** 32 bytes in base64, as openssl, curl and others write them. */
function digestOf(pin: string): string {
  const [, digest] = /^(?:sha256\/{1,2})?([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/.exec(pin) ?? [];
  if (digest === undefined)
    throw clientError('invalid-argument', 'a pin is the SHA-256 of a public key in base64, such as sha256/47DEQ…SuFU=');
  return digest;
}
