import { clientError } from '../../umbra-error.js';
import { tlsFetch } from '../../tls/tls-fetch.js';
import type { TlsOptions } from '../../tls/tls-options.js';
import type { Auth } from '../auth.js';

export interface CertificateOptions extends TlsOptions {
  readonly cert: string;
  readonly key: string;
}

/**
 * The certificate of a device, shown at each connection over TLS: no header says who asks. For Node; its requests go over
 * a `fetch` of its own.
 * @throws UmbraError invalid-argument for what cannot be read, and elsewhere than on Node
 */
export function certificate(options: CertificateOptions): Auth {
  const fetch = tlsFetch(options);
  const auth: Auth = {
    fetch,
    attach(url, platform) {
      if (!/^(https|mqtts|wss|tls|ssl):/.test(url))
        throw clientError('invalid-argument', 'a certificate needs an address with TLS, such as https:// or mqtts://');
      if (url.startsWith('https:') && platform.fetch !== fetch)
        throw clientError('invalid-argument', 'a certificate has a fetch of its own: leave the option fetch out');
    },
    headers: () => Promise.resolve({}),
  };
  // It holds the private key: no listing of the members shows it.
  return Object.defineProperty(auth, 'tls', { value: options });
}
