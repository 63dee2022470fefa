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
/** Also the names of things, and the subjects that other issuers give people. */
export const PRINCIPAL_ID = rule(
  /^(?!\.{1,2}$)[a-zA-Z0-9:_.@+=,|-]{1,128}$/,
  '1 to 128 characters of a-z, A-Z, 0-9 and :_.@+=,|-',
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
