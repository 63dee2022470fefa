import type { X509Certificate } from 'node:crypto';
import type { TLSSocket, TlsOptions } from 'node:tls';

/**
 * Options of a server that asks its clients for certificates and leaves the judging to the doors. OpenSSL would know
 * only the authorities of the start, would give no reason, and judges no resumed session again. An empty list keeps it
 * from loading the authorities of the web, none of which speaks for a device.
 */
export const ASK_FOR_CERTIFICATES = { requestCert: true, rejectUnauthorized: false, ca: [] } satisfies TlsOptions;

/** What the peer of a TLS connection has shown. TLS has proved that it has the key; nothing else has been checked. */
export interface PeerCertificate {
  readonly certificate: X509Certificate;
  /**
   * Whether the certificate comes from the ticket of an earlier connection: the peer has then proved only that it took
   * part in that one. It must be judged as of today all the same.
   */
  readonly isResumed: boolean;
}

/** The certificate of the peer; null when it has shown none. Once for each connection, on `secureConnection`. */
export function peerOf(socket: TLSSocket): PeerCertificate | null {
  const certificate = socket.getPeerX509Certificate();
  return certificate ? { certificate, isResumed: socket.isSessionReused() } : null;
}
