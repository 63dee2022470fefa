import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type ConnectionOptions, type SecureVersion, type Server } from 'node:tls';
import type { AuthorityRecord } from '../../src/auth/certificates/authority.js';
import { CaRegistry } from '../../src/auth/certificates/ca-registry.js';
import { checkDevice, type Trust } from '../../src/auth/certificates/device-certificate.js';
import { Revocations, revocationOf, type RevocationRecord } from '../../src/auth/certificates/revocations.js';
import { ASK_FOR_CERTIFICATES, certificateOf } from '../../src/tls/peer-certificate.js';
import { createAuthority } from '../harness/certificates.js';
import * as x509 from '../harness/x509.js';

/** What the server has found about one connection. */
interface Found {
  readonly outcome: string;
  readonly isResumed: boolean;
}

const ca = x509.issueAuthority();
const node = x509.issue(ca, {
  subject: x509.nameOf(x509.cn('localhost')),
  extensions: [x509.alternativeNames(x509.dnsName('localhost'))],
});
const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3'];
const MINUTE_MS = 60_000;

function trustIn(pem: string, ...revoked: RevocationRecord[]): Trust {
  const record = {
    tenant: 'acme',
    pem,
    nameFrom: 'commonName',
    isDisabled: false,
    registersAtFirstSight: true,
  } as const;
  const records: AuthorityRecord[] = [{ ...record, registeredAtMs: 1 }];
  return { authorities: CaRegistry.of(records), revocations: Revocations.of(revoked), skewMs: 30_000 };
}

describe.each(VERSIONS)('a device over %s', (version) => {
  let trust = trustIn(ca.pem);
  let server: Server;
  let port: number;

  beforeAll(async () => {
    server = createServer({ ...ASK_FOR_CERTIFICATES, cert: node.pem, key: node.key }, (socket) => {
      const shown = certificateOf(socket);
      const check = shown && checkDevice(new X509Certificate(shown), trust, Date.now());
      const outcome = !check ? 'none' : check.kind === 'device' ? `thing ${check.device.thing}` : check.fault.reason;
      socket.on('error', () => undefined);
      socket.end(JSON.stringify({ outcome, isResumed: shown !== null && socket.isSessionReused() }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => server.close());
  beforeEach(() => (trust = trustIn(ca.pem)));

  /** One connection: what the server found, and the session that a later one can resume. */
  async function connectOnce(options: ConnectionOptions): Promise<Found & { session: Buffer | undefined }> {
    const tls = { minVersion: version, maxVersion: version, servername: 'localhost', ca: ca.pem };
    const socket = connect({ port, host: '127.0.0.1', ...tls, ...options });
    let text = '';
    let session: Buffer | undefined;
    socket.on('session', (given: Buffer) => (session = given));
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(socket, 'close');
    return { ...(JSON.parse(text) as Found), session };
  }
  const show = (issued: x509.Issued, ...chain: x509.Issued[]): ConnectionOptions => ({
    cert: [issued, ...chain].map(({ pem }) => pem).join(''),
    key: issued.key,
  });
  const named = (...pairs: Buffer[]): x509.Issued => x509.issue(ca, { subject: x509.nameOf(...pairs) });
  const extended = (...extensions: Buffer[]): x509.Issued => x509.issue(ca, { extensions });

  const intermediate = x509.issueAuthority({ issuer: ca, name: 'Intermediate' });
  it.each<[string, () => ConnectionOptions, string]>([
    ['no certificate', () => ({}), 'none'],
    ['its certificate', () => show(x509.issue(ca)), 'thing lamp-1'],
    ['one with RSA', () => show(x509.issue(ca, { keys: x509.rsaKeys(2048) })), 'thing lamp-1'],
    ['one of a foreign authority', () => show(x509.issue(x509.issueAuthority())), 'unknownIssuer'],
    ['one of a foreign authority and that', () => show(x509.issue(intermediate), intermediate, ca), 'unknownIssuer'],
    ['one that it has signed itself', () => show(x509.issue(null)), 'unknownIssuer'],
    ['one that has expired', () => show(x509.issue(ca, { notAfter: Date.now() - MINUTE_MS })), 'expired'],
    ['one that is not valid yet', () => show(x509.issue(ca, { notBefore: Date.now() + MINUTE_MS })), 'notYetValid'],
    ['one with two names', () => show(named(x509.cn('lamp'), x509.cn('door'))), 'manyNames'],
    ['one with a line feed', () => show(named(x509.cn('lamp\nCN=door'))), 'invalidName'],
    ['one with a NUL', () => show(named(x509.cn('lamp\0'))), 'invalidName'],
    ['one with a look-alike', () => show(named(x509.cn('l\u0430mp'))), 'invalidName'],
    ['the one of the authority', () => show(ca), 'isAuthority'],
    ['one that is an authority too', () => show(intermediate), 'isAuthority'],
    ['one of another key usage', () => show(extended(x509.keyUsage(0x20))), 'keyUsage'],
    ['one for servers', () => show(extended(x509.extendedKeyUsage(x509.SERVER_AUTH_ID))), 'extendedKeyUsage'],
    ['one with a critical extension', () => show(extended(x509.extension('2a0304', x509.sequence(), true))), 'unknownCritical'], // prettier-ignore
  ])('that shows %s', async (_title, options, outcome) => {
    expect(await connectOnce(options())).toMatchObject({ outcome, isResumed: false });
  });

  it('with a certificate of an intermediate authority that is registered', async () => {
    trust = trustIn(intermediate.pem);
    const lamp = x509.issue(intermediate);
    expect(await connectOnce(show(lamp, intermediate))).toMatchObject({ outcome: 'thing lamp-1' });
    expect(await connectOnce(show(lamp))).toMatchObject({ outcome: 'thing lamp-1' });
  });

  it('with a certificate that openssl has issued', async () => {
    const made = await createAuthority();
    try {
      const pair = await made.client('lamp-2');
      trust = trustIn(readFileSync(made.ca, 'utf8'));
      const options = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
      expect(await connectOnce(options)).toMatchObject({ outcome: 'thing lamp-2' });
    } finally {
      await made.remove();
    }
  });

  const lamp = x509.issue(ca);
  const known = checkDevice(new X509Certificate(lamp.der), trust, Date.now());
  if (known.kind === 'fault') throw known.fault;
  const { fingerprint, caId } = known.device;
  const authority = trust.authorities.get('acme', caId)!;
  const withdrawn: [string, () => Trust, string][] = [
    ['certificate', () => trustIn(ca.pem, { kind: 'certificate', tenant: 'acme', fingerprint }), 'revoked'],
    ['thing', () => trustIn(ca.pem, { kind: 'thing', tenant: 'acme', thing: 'lamp-1' }), 'revoked'],
    ['authority', () => trustIn(ca.pem, revocationOf(authority)), 'revoked'],
    ['authority by removal', () => trustIn(x509.issueAuthority().pem), 'unknownIssuer'],
  ];
  it.each(withdrawn)(
    'is refused after the revocation of its %s, in a resumed session too',
    async (_what, after, reason) => {
      const first = await connectOnce(show(lamp));
      expect(first).toMatchObject({ outcome: 'thing lamp-1', isResumed: false });
      const { session } = first;
      expect(session).toBeDefined();
      // The ticket alone brings the certificate: this client has no key.
      expect(await connectOnce({ session })).toMatchObject({ outcome: 'thing lamp-1', isResumed: true });
      trust = after();
      expect(await connectOnce({ session })).toMatchObject({ outcome: reason, isResumed: true });
      expect(await connectOnce({ ...show(lamp), session })).toMatchObject({ outcome: reason });
      expect(await connectOnce(show(lamp))).toMatchObject({ outcome: reason, isResumed: false });
    },
  );

  it('is refused in a resumed session after its certificate has expired', async () => {
    const short = x509.issue(ca, { notAfter: Date.now() + MINUTE_MS });
    const { session } = await connectOnce(show(short));
    const now = Date.now;
    // Only the clock: a certificate of some seconds would be a race.
    Date.now = () => now() + 2 * MINUTE_MS;
    try {
      expect(await connectOnce({ session })).toMatchObject({ outcome: 'expired', isResumed: true });
    } finally {
      Date.now = now;
    }
  });
});
