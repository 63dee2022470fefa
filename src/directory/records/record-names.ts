import { TOKEN_ALGORITHMS } from '../../access/token-algorithms.js';
import type { NameRule } from './record-reader.js';

const rule = (pattern: RegExp, words: string): NameRule => ({ pattern, words });

/*
 * Names are parts of keys in etcd, of paths of routes and of lines of logs. None may hold a slash, a space or a control
 * character, or consist of dots.
 */

export const TENANT_NAME = rule(
  /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/,
  '1 to 64 characters of a-z, A-Z, 0-9, underscore, hyphen, and begin with a letter or digit',
);
/**
 * Also the names of things. What an issuer of the tenant names begins with the name of that and a tilde, which no other
 * name has: no token can name a principal of ours.
 */
export const PRINCIPAL_ID = rule(
  /^(?:[a-z][a-z0-9-]{0,31}~)?(?!\.{1,2}$)[a-zA-Z0-9:_.@+=,|-]{1,128}$/,
  '1 to 128 characters of a-z, A-Z, 0-9 and :_.@+=,|-, perhaps after the name of an issuer and ~',
);
/** Of an issuer, as its tenant calls it. */
export const ISSUER_NAME = rule(
  /^[a-z][a-z0-9-]{0,31}$/,
  '1 to 32 characters of a-z, 0-9, hyphen, and begin with a letter',
);
/** OpenID Connect Discovery 1.0, section 3: no query, no fragment. */
export const ISSUER_URL = rule(
  /^https?:\/\/[a-zA-Z0-9.:[\]-]{1,260}(?:\/[\w.~%!$&'()*+,;=:@/-]{0,500})?$/,
  'a URL without user, query and fragment, as the tokens of the issuer have it in iss',
);
/** One value of the claim aud. */
export const AUDIENCE = rule(/^[\x21-\x7e]{1,512}$/, '1 to 512 printable characters of ASCII without spaces');
export const TOKEN_ALGORITHM = rule(
  new RegExp(`^(?:${TOKEN_ALGORITHMS.join('|')})$`),
  `one of ${TOKEN_ALGORITHMS.join(', ')}`,
);
/** A claim by its name, or by a JSON pointer (RFC 6901) into the claims. */
export const CLAIM_NAME = rule(/^[\x20-\x7e]{1,256}$/, 'the name of a claim, or a pointer such as /realm_access/roles');
/** A value of a claim that stands for roles. */
export const CLAIM_VALUE = rule(/^[^\p{Cc}\p{Cs}\u2028\u2029]{1,256}$/u, '1 to 256 printable characters');
/** What an issuer may give. */
export const ISSUER_ROLE = rule(
  /^(?:device|operator|viewer|service|tenant-admin)$/,
  'one of device, operator, viewer, service, tenant-admin; admin is given to principals alone',
);
export const THING_NAME = rule(
  /^[a-zA-Z0-9:_-]{1,128}$/,
  '1 to 128 characters of a-z, A-Z, 0-9, colon, underscore, hyphen',
);
/** As AWS IoT names policies. */
export const POLICY_NAME = rule(/^(?!\.{1,2}$)[\w+=,.@-]{1,128}$/, '1 to 128 characters of a-z, A-Z, 0-9 and _+=,.@-');
/** What is attached: a policy of the tenant, or a built-in role. */
export const ATTACHED_POLICY = rule(
  /^(role:[a-z][a-z-]{0,31}|(?!\.{1,2}$)[\w+=,.@-]{1,128})$/,
  '1 to 128 characters of a-z, A-Z, 0-9 and _+=,.@-, or role: and the name of a role',
);
export const GROUP_ID = rule(
  /^[a-zA-Z0-9:_-]{1,128}$/,
  '1 to 128 characters of a-z, A-Z, 0-9, colon, underscore, hyphen',
);
export const ROLE_NAME = rule(/^[a-z][a-z-]{0,31}$/, '1 to 32 characters of a-z, hyphen, and begin with a letter');
export const KEY_ID = rule(/^[a-zA-Z0-9_-]{1,64}$/, '1 to 64 characters of a-z, A-Z, 0-9, underscore, hyphen');
export const FINGERPRINT = rule(/^[0-9a-f]{64}$/, 'a SHA-256 in 64 digits of lower-case hexadecimal');
export const ATTRIBUTE_NAME = rule(/^[a-zA-Z0-9_.:-]{1,128}$/, '1 to 128 characters of a-z, A-Z, 0-9 and _.:-');
export const THING_TYPE = rule(
  /^[a-zA-Z0-9:_-]{1,128}$/,
  '1 to 128 characters of a-z, A-Z, 0-9, colon, underscore, hyphen',
);
/** Of a limit, such as requestsPerSecond. */
export const LIMIT_NAME = rule(/^[a-zA-Z]{1,64}$/, '1 to 64 letters');
/** Of a listener; `*` is every listener. */
export const LISTENER_NAME = rule(/^([a-z][a-z0-9-]{0,31}|\*)$/, '* or 1 to 32 characters of a-z, 0-9, hyphen');
export const AWS_ACCOUNT = rule(/^[0-9]{12}$/, 'an AWS account id of 12 digits');
/** Kinds of what is revoked. */
export const REVOKED_KIND = rule(/^(certificate|thing|authority)$/, 'certificate, thing or authority');
/** A fingerprint, the name of a thing or the hash of a key. */
export const REVOKED_ID = THING_NAME;
/** A hash or a sealed text: base64 of either alphabet, hexadecimal, or the string forms of password hashes. */
export const SECRET_TEXT = rule(/^[\x21-\x7e]{16,8192}$/, '16 to 8,192 printable characters of ASCII');
/** A pattern of a route list: a method or `*`, a space, and a path with `*` and `**`. */
export const ROUTE_PATTERN = rule(
  /^([A-Z]{1,16}|\*) \/[\x21-\x7e]{0,511}$/,
  'a method or *, a space, and a path of at most 512 characters',
);

/** Of a sink, as its tenant calls it. */
export const SINK_NAME = rule(
  /^[a-z][a-z0-9-]{0,63}$/,
  '1 to 64 characters of a-z, 0-9, hyphen, and begin with a letter',
);
export const SINK_ID = rule(/^[0-9a-f]{16}$/, '16 digits of hexadecimal');
export const SINK_KIND = rule(/^[a-z]{1,32}$/, 'the name of a kind of sinks, such as nats');
/** One name, beginning of a name, or path of a filter; who makes the sink is told more. */
export const FILTER_VALUE = rule(/^[^\p{Cc}\p{Cs}]{1,1024}$/u, '1 to 1024 printable characters');
