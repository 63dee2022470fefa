import * as x509 from '../../test/harness/x509.js';
import { checkAuthorities } from './checked-certificate.js';

const HELD = x509.issueAuthority().pem;
const EXPIRED = x509.issueAuthority({ notBefore: Date.now() - 2_000, notAfter: Date.now() - 1_000 }).pem;
const MALFORMED = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

it.each<[string, string, string | null]>([
  ['one', HELD, null],
  ['one with another label', HELD.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE'), null],
  ['one behind an expired one', `# old\n${EXPIRED}# new\n${HELD}`.replaceAll('\n', '\r\n'), null],
  ['one before a malformed one', HELD + MALFORMED, null],
  ['one behind a malformed one', MALFORMED + HELD, 'asn1'],
  ['expired ones', EXPIRED + EXPIRED, 'all authorities have expired'],
  ['a text', 'no certificate', 'no certificate of an authority'],
  ['nothing', '', 'no certificate of an authority'],
])('checks authorities as TLS will read them: %s', (_, pem, fault) => {
  const check = () => checkAuthorities(Buffer.from(pem));
  if (fault === null) expect(check).not.toThrow();
  else expect(check).toThrow(fault);
});
