import { createHash, createHmac } from 'node:crypto';
import type { SignedRequest } from '../../src/auth/aws-signature/canonical-request.js';

/** What a signature is made with. */
export interface Signer {
  readonly id: string;
  readonly secret: string;
  readonly region?: string;
  readonly service?: string;
  /** `X-Amz-Date`. */
  readonly date: string;
  /** Year, month and day of the scope, if not that of the date. */
  readonly day?: string;
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The signature of a canonical request, as AWS documents it. */
export function signCanonical(canonical: string, signer: Signer): { signature: string; credential: string } {
  const { id, secret, date, region = 'eu-central-1', service = 'iotdata', day = date.slice(0, 8) } = signer;
  const scope = `${day}/${region}/${service}/aws4_request`;
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (last, part) => hmac(last, part),
    `AWS4${secret}`,
  );
  const signature = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
  return { signature, credential: `${id}/${scope}` };
}

/** A request before it is signed. Its path and query must be in canonical form. */
export interface Plain {
  readonly method?: string;
  readonly path: string;
  readonly query?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What is written into the signature, where it differs from what a good client writes. */
export interface Forms {
  readonly signedHeaders?: readonly string[];
  readonly authorization?: (credential: string, signed: string, signature: string) => string;
}

/** A request with its signature in `Authorization`, and by default all headers signed. */
export function signRequest(plain: Plain, signer: Signer, forms: Forms = {}): SignedRequest {
  const { method = 'GET', path, query = '', body } = plain;
  const headers: Record<string, string> = { 'x-amz-date': signer.date, ...plain.headers };
  const names = forms.signedHeaders ?? Object.keys(headers).sort();
  const canonical = [
    ...[method, path.replaceAll('%', '%25'), query],
    ...names.map((name) => `${name}:${headers[name] ?? ''}`),
    ...['', names.join(';'), sha256(body ?? '')],
  ].join('\n');
  const { signature, credential } = signCanonical(canonical, signer);
  const write = forms.authorization ?? authorizationOf;
  return {
    method,
    rawPath: path,
    rawQuery: query,
    headers: [...Object.entries(headers).flat(), 'authorization', write(credential, names.join(';'), signature)],
    body: body === undefined ? null : Buffer.from(body),
  };
}

export const authorizationOf = (credential: string, signed: string, signature: string): string =>
  `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signed}, Signature=${signature}`;

/** How a device SDK signs the URL of its WebSocket. */
export interface UrlForm {
  readonly headers: Readonly<Record<string, string>>;
  readonly signedHeaders: readonly string[];
  /** Parameters beside those of the signature. */
  readonly more?: Readonly<Record<string, string>>;
  readonly token?: string;
  readonly isTokenSigned?: boolean;
}

/** What aws-iot-device-sdk-v2 sends: its Host has no port. */
export const SDK_V2: UrlForm = {
  headers: { Host: 'umbra.example', Upgrade: 'websocket', Connection: 'Upgrade' },
  signedHeaders: ['connection', 'host'],
};
/** What aws-iot-device-sdk (v1) sends. */
export const SDK_V1: UrlForm = {
  headers: { Connection: 'Upgrade', Upgrade: 'websocket', Host: 'umbra.example:8443' },
  signedHeaders: ['host'],
};

/** An upgrade to WebSocket at `/mqtt` with a presigned URL. */
export function presign(form: UrlForm, signer: Signer): Omit<SignedRequest, 'body'> {
  const { region = 'eu-central-1', service = 'iotdevicegateway', date, day = date.slice(0, 8) } = signer;
  const lower = new Map(Object.entries(form.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const token: [string, string][] = form.token === undefined ? [] : [['X-Amz-Security-Token', form.token]];
  const parameters: [string, string][] = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${signer.id}/${day}/${region}/${service}/aws4_request`],
    ['X-Amz-Date', date],
    ...Object.entries(form.more ?? {}),
    ['X-Amz-SignedHeaders', form.signedHeaders.join(';')],
    ...(form.isTokenSigned ? token : []),
  ];
  const encoded = (pairs: [string, string][]): string[] =>
    pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const canonical = [
    ...['GET', '/mqtt', encoded(parameters).sort().join('&')],
    ...form.signedHeaders.map((name) => `${name}:${lower.get(name) ?? ''}`),
    ...['', form.signedHeaders.join(';'), sha256('')],
  ].join('\n');
  const { signature } = signCanonical(canonical, { ...signer, region, service });
  const unsigned: [string, string][] = [['X-Amz-Signature', signature], ...(form.isTokenSigned ? [] : token)];
  return {
    method: 'GET',
    rawPath: '/mqtt',
    rawQuery: [...encoded(parameters), ...encoded(unsigned)].join('&'),
    headers: Object.entries(form.headers).flat(),
  };
}
