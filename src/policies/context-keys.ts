/** One value, or the values of a key that can have several. */
export type ContextValue = string | readonly string[];
/** Values by the canonical names of this file, such as `iot:ClientId`. A key that is absent is unresolved. */
export type ContextValues = Readonly<Partial<Record<string, ContextValue>>>;

/** What a decision may look at besides action and resource. */
export interface PolicyContext {
  /**
   * Of the caller and its connection: `iot:ClientId`, `iot:Connection.Thing.ThingName` and its sisters,
   * `iot:CertificateId`, `iot:Certificate.*` (all values of an attribute, first one first), `aws:SourceIp`,
   * `umbra:Principal`, `umbra:Tenant`. Made once a connection.
   */
  readonly caller: ContextValues;
  /** Of this one request: `iot:ConnectAttributes`, `iot:LastWillTopic` (as `topic/T`), `umbra:ShadowName`. */
  readonly request?: ContextValues | undefined;
  /** Milliseconds since 1970, for `aws:CurrentTime` and `aws:EpochTime`; absent: both are unresolved. */
  readonly now?: number | undefined;
}

/** `all` are all values, a number is one of them by its place. */
type Pick = number | 'all';

/** A key as a document names it, ready to be looked up. */
export interface KeyReference {
  /** Canonical name, by which the context has it. */
  readonly name: string;
  readonly pick: Pick;
  readonly scope: 'caller' | 'request' | 'time';
  /** What its values are; decides which operators may ask for it. */
  readonly type: 'string' | 'bool' | 'address' | 'resource' | 'time';
}

/** Longer values are not substituted, as AWS has it for attributes of certificates. In UTF-16 units. */
export const MAX_VALUE_LENGTH = 1024;

const reference = (
  name: string,
  scope: KeyReference['scope'] = 'caller',
  type: KeyReference['type'] = 'string',
  pick: Pick = 0,
): KeyReference => ({ name, pick, scope, type });

const THING = 'iot:Connection.Thing.';
const CERTIFICATE = 'iot:Certificate.';
const PLAIN: readonly KeyReference[] = [
  reference('iot:ClientId'),
  reference(`${THING}ThingName`),
  reference(`${THING}ThingTypeName`),
  reference(`${THING}IsAttached`, 'caller', 'bool'),
  reference('iot:CertificateId'),
  reference('aws:SourceIp', 'caller', 'address'),
  reference('umbra:Principal'),
  reference('umbra:Tenant'),
  reference('iot:ConnectAttributes', 'request', 'string', 'all'),
  reference('iot:LastWillTopic', 'request', 'resource'),
  reference('umbra:ShadowName', 'request'),
  reference('aws:CurrentTime', 'time', 'time'),
  reference('aws:EpochTime', 'time', 'time'),
  reference(`${CERTIFICATE}SerialNumber`),
  reference(`${CERTIFICATE}AvailableKeys`, 'caller', 'string', 'all'),
];
/** In a context: the caller has shown a certificate, of which nothing but its id is at hand. */
export const UNREAD_CERTIFICATE = `${CERTIFICATE}*`;

/** Whether the request has a value of the key, or none, and nobody can tell here. No errors. */
export function isUnread({ name }: KeyReference, { caller }: PolicyContext): boolean {
  return name.startsWith(CERTIFICATE) && caller[UNREAD_CERTIFICATE] !== undefined;
}

/**
 * Keys that may come: requests are decided before their bodies are read, so no request has a value for them. A condition
 * on one would hold or fail whatever is sent, and could let through what it is meant to keep out.
 */
export const WITHOUT_VALUE: ReadonlySet<string> = new Set(['umbra:section', 'umbra:paths']);
/** Names are compared without case, as IAM does; a misspelt Deny must not be an unknown one. */
const BY_NAME = new Map(PLAIN.map((each) => [each.name.toLowerCase(), each]));
BY_NAME.set('iot:thing.thingname', reference(`${THING}ThingName`));

const DISTINGUISHED_NAME = [
  ...['DistinguishedNameQualifier', 'Country', 'Organization', 'OrganizationalUnit', 'State', 'CommonName'],
  ...['SerialNumber', 'Title', 'Surname', 'GivenName', 'Initials', 'Pseudonym', 'GenerationQualifier'],
];
const ALTERNATIVE_NAME = ['RFC822Name', 'DNSName', 'DirectoryName', 'UniformResourceIdentifier', 'IPAddress'];
/** Attributes of issuer and subject in lower case to their canonical names. */
const ATTRIBUTES = new Map(
  ['Issuer', 'Subject']
    .flatMap((owner) => [
      ...DISTINGUISHED_NAME.map((name) => `${CERTIFICATE}${owner}.${name}`),
      ...ALTERNATIVE_NAME.map((name) => `${CERTIFICATE}${owner}.AlternativeName.${name}`),
    ])
    .map((name) => [name.toLowerCase(), name]),
);
/** A name of an attribute of a certificate, with the place of the value or `.List`. AWS keeps five values. */
const CERTIFICATE_KEY = /^(iot:certificate\.[a-z0-9.]*?)(?:\.(\d|list))?$/;
/** Attributes of a thing may have this alphabet in AWS. Their case counts. */
const THING_ATTRIBUTE = /^iot:Connection\.Thing\.Attributes\[([a-zA-Z0-9_.,@/:#-]{1,128})\]$/i;

/**
 * The key of this name, or null when it is unknown. `iot:Certificate.Subject.Country.1` is the second value, `.List` is
 * all of them, and without either it is the first one. No errors.
 */
export function keyReference(name: string): KeyReference | null {
  const lower = name.toLowerCase();
  const plain = BY_NAME.get(lower);
  if (plain) return plain;
  const attribute = THING_ATTRIBUTE.exec(name)?.[1];
  if (attribute !== undefined) return reference(thingAttribute(attribute));
  const [, base, place] = CERTIFICATE_KEY.exec(lower) ?? [];
  const canonical = ATTRIBUTES.get(base ?? '');
  if (canonical === undefined) return null;
  return reference(canonical, 'caller', 'string', place === 'list' ? 'all' : Number(place ?? 0));
}

/** The key under which a context has an attribute of the caller's thing. No errors. */
export function thingAttribute(name: string): string {
  return `${THING}Attributes[${name}]`;
}

/** The value to substitute or to compare, of `all` the first one; undefined: unresolved. No errors. */
export function valueOf(key: KeyReference, context: PolicyContext): string | undefined {
  const values = lookUp(key, context);
  const place = key.pick === 'all' ? 0 : key.pick;
  const value = typeof values === 'object' ? values[place] : place === 0 ? values : undefined;
  return value !== undefined && value.length <= MAX_VALUE_LENGTH ? value : undefined;
}

/** All values that the key stands for; undefined: it is absent. No errors. */
export function valuesOf(key: KeyReference, context: PolicyContext): readonly string[] | undefined {
  const values = lookUp(key, context);
  if (key.pick === 'all') return typeof values === 'string' ? [values] : values;
  const value = valueOf(key, context);
  return value === undefined ? undefined : [value];
}

function lookUp({ name, scope }: KeyReference, { caller, request, now }: PolicyContext): ContextValue | undefined {
  if (scope === 'caller') return caller[name];
  if (scope === 'request') return request?.[name];
  return now === undefined ? undefined : String(now);
}
