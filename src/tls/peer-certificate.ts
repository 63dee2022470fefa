import type { Duplex } from 'node:stream';
import type { TLSSocket, TlsOptions } from 'node:tls';

/**
 * Options of a server that asks its clients for certificates and leaves the judging to the doors. OpenSSL would know
 * only the authorities of the start, would give no reason, and judges no resumed session again. An empty list keeps it
 * from loading the authorities of the web, none of which speaks for a device.
 */
export const ASK_FOR_CERTIFICATES = { requestCert: true, rejectUnauthorized: false, ca: [] } satisfies TlsOptions;

/**
 * DER of the certificate that the peer of a connection has shown; null when there is none. TLS has proved that the peer
 * has its key, or in a resumed session that it took part in the first one; nothing else has been checked. No errors.
 */
export function certificateOf(stream: Duplex): Buffer | null {
  if (!('getPeerX509Certificate' in stream)) return null;
  return (stream as TLSSocket).getPeerX509Certificate()?.raw ?? null;
}

const KEPT = new WeakMap<Duplex, { readonly certificate: Buffer | null }>();

/** As certificateOf, for connections that many requests come over: each of them gets the same object. No errors. */
export function keptCertificateOf(stream: Duplex): Buffer | null {
  if (!('getPeerX509Certificate' in stream)) return null;
  const kept = KEPT.get(stream);
  if (kept) return kept.certificate;
  const certificate = certificateOf(stream);
  KEPT.set(stream, { certificate });
  return certificate;
}
