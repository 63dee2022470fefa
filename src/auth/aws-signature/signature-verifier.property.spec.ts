import { createHash, createHmac, randomBytes } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { anyCharacter } from '../../../test/harness/any-character.js';
import { SecretSeal } from '../sealed-secret.js';
import { ACCESS_KEY_PURPOSE, createAccessKey, type AccessKey } from './access-key.js';
import type { SignedRequest } from './canonical-request.js';
import { SignatureVerifier } from './signature-verifier.js';

/** AWS's own signer for JavaScript, over node:crypto. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const bytes = typeof secret === 'string' ? Buffer.from(secret) : (secret as Uint8Array | undefined);
    this.#hash = bytes === undefined ? createHash('sha256') : createHmac('sha256', bytes);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }
  reset(): void {
    throw new Error('never called');
  }
}

const NOW = Date.UTC(2026, 10, 28, 7, 5, 18);
const seal = new SecretSeal(randomBytes(32), ACCESS_KEY_PURPOSE);
const plainKey = createAccessKey(seal);
const tokenKey = {
  ...createAccessKey(seal),
  sessionTokenHash: createHash('sha256').update('to/k+en=').digest('hex'),
};

interface Request {
  readonly method: string;
  readonly segments: readonly string[];
  readonly endsInSlash: boolean;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly applyChecksum: boolean;
  readonly region: string;
  readonly service: string;
  readonly withToken: boolean;
  /** For each character of the query, whether it is escaped where it need not be. */
  readonly escapes: readonly boolean[];
}

const text = (minLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: anyCharacter, minLength, maxLength: 8 }),
    fc.string({ unit: fc.constantFrom(...'a:_-$%/+&=?#~ .*!\'()"\u00fc'), minLength, maxLength: 8 }),
  );
const isSegment = (segment: string): boolean => segment !== '.' && segment !== '..';
const headerName = fc
  .string({ unit: fc.constantFrom(...'abz09-_'), minLength: 1, maxLength: 10 })
  .map((name) => `x-${name}`)
  .filter((name) => !/^x-amz-(?:date|content-sha256|security-token)$/.test(name));
const headerValue = fc.string({ unit: fc.constantFrom(...'aZ0 \t;:=,"\u00fc'), maxLength: 12 });

const requests: fc.Arbitrary<Request> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD'),
  segments: fc.array(text(1).filter(isSegment), { maxLength: 4 }),
  endsInSlash: fc.boolean(),
  query: fc.array(
    fc.tuple(
      text(1).filter((name) => !/^x-amz-(signature|algorithm)$/i.test(name)),
      text(0),
    ),
    { maxLength: 5 },
  ),
  headers: fc.dictionary(headerName, headerValue, { maxKeys: 5 }),
  body: fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 400 })),
  applyChecksum: fc.boolean(),
  region: fc.constantFrom('eu-central-1', 'us-east-1', 'local'),
  service: fc.constantFrom('iotdata', 'iotdevicegateway'),
  withToken: fc.boolean(),
  escapes: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
});

/** A part of a query in one of the spellings that servers read alike. */
function spelled(part: string, escapes: readonly boolean[]): string {
  let at = 0;
  return [...part]
    .map((character) => {
      const isEscaped = escapes[at++ % escapes.length];
      if (/[A-Za-z0-9._~-]/.test(character)) {
        return isEscaped ? `%${character.charCodeAt(0).toString(16).toUpperCase()}` : character;
      }
      return /[$:/?,;@!'()*]/.test(character) && !isEscaped ? character : encodeURIComponent(character);
    })
    .join('');
}

async function sign(request: Request): Promise<SignedRequest> {
  const { id: accessKeyId, secret: secretAccessKey } = request.withToken ? tokenKey : plainKey;
  const { region, service, applyChecksum, method, body } = request;
  const credentials = { accessKeyId, secretAccessKey, ...(request.withToken ? { sessionToken: 'to/k+en=' } : {}) };
  const signer = new SignatureV4({ credentials, region, service, applyChecksum, sha256: Sha256 });
  const encoded = request.segments.map((segment) => encodeURIComponent(segment)).join('/');
  const path = `/${encoded}${request.endsInSlash && encoded !== '' ? '/' : ''}`;
  const valuesOf = (name: string): string[] =>
    request.query.filter(([each]) => each === name).map(([, value]) => value);
  const query = Object.fromEntries(request.query.map(([name]) => [name, valuesOf(name)]));
  const headers = { host: 'umbra.example:8080', ...request.headers };
  const toSign = { method, protocol: 'https:', hostname: 'umbra.example', path, query, headers, body };
  const signed = await signer.sign(toSign, { signingDate: new Date(NOW) });
  const parameter = ([name, value]: readonly [string, string]): string =>
    `${spelled(name, request.escapes)}=${spelled(value, request.escapes)}`;
  const rawQuery = request.query.map(parameter).join('&');
  return { method, rawPath: path, rawQuery, headers: Object.entries(signed.headers).flat(), body };
}

const verifier = new SignatureVerifier(seal);
const lookup = (id: string): AccessKey | undefined => [plainKey, tokenKey].find((key) => key.id === id);
const outcome = (request: SignedRequest): string => {
  const result = verifier.verifyRest(request, lookup, NOW);
  return result.verified ? result.key.id : `${result.code} ${result.reason}`;
};

describe('what @smithy/signature-v4 signs', () => {
  it('is verified, whatever the names, the query, the headers and the body', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        expect(outcome(await sign(request))).toBe((request.withToken ? tokenKey : plainKey).id);
      }),
      { numRuns: 400 },
    );
  });

  it('is refused when one character of it is another one', async () => {
    const part = fc.constantFrom('method', 'path', 'query', 'body', 'header', 'authorization');
    await fc.assert(
      fc.asyncProperty(requests, part, fc.nat(), fc.constantFrom('a', '0', 'Z'), async (request, which, at, other) => {
        const signed = await sign(request);
        const changed = change(signed, which, at, other);
        fc.pre(changed !== null);
        expect(outcome(changed as SignedRequest)).toMatch(/^AUTH_/);
      }),
      { numRuns: 400 },
    );
  });
});

/** The request with one character changed; null when there is none, or it is the same already. */
function change(signed: SignedRequest, which: string, index: number, other: string): SignedRequest | null {
  const replaced = (text: string): string | null => {
    const at = text.length === 0 ? 0 : index % text.length;
    return text.length === 0 || text[at] === other ? null : text.slice(0, at) + other + text.slice(at + 1);
  };
  const withText = (text: string, make: (changed: string) => Partial<SignedRequest>): SignedRequest | null => {
    const changed = replaced(text);
    return changed === null ? null : { ...signed, ...make(changed) };
  };
  if (which === 'method') return withText(signed.method, (method) => ({ method }));
  if (which === 'path') return withText(signed.rawPath.slice(1), (rest) => ({ rawPath: `/${rest}` }));
  if (which === 'query') return withText(signed.rawQuery, (rawQuery) => ({ rawQuery }));
  if (which === 'body') {
    const body = Uint8Array.from(signed.body ?? []);
    if (body.length === 0) return null;
    body[index % body.length] = (body[index % body.length] ?? 0) ^ 1;
    return { ...signed, body };
  }
  const at = signed.headers.indexOf(which === 'authorization' ? which : 'host') + 1;
  return withText(signed.headers[at] ?? '', (value) => ({ headers: signed.headers.with(at, value) }));
}
