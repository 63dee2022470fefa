import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac, type BinaryLike } from 'node:crypto';
import { ManualClock } from '../../testing/manual-clock.js';
import { scriptedFetch } from '../../testing/scripted-fetch.js';
import { Umbra } from '../../umbra.js';
import { sigV4 } from './sig-v4.js';

/** The hash that signers of AWS take, over Node's. */
class Sha256 {
  readonly #hash;
  constructor(secret?: BinaryLike) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data: BinaryLike): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
}

const KEY = { accessKeyId: 'UMBA1', secretAccessKey: 'not-a-secret' };

it.each([
  ['GET', '/things/a%3Ab/shadow', { name: "na:me $1!'()*~", list: ['b', 'a'] }, undefined],
  ['POST', '/things/lamp/shadow', {}, '{"state":{"desired":{"ü":1}}}'],
] as const)('signs %s %s as signers of AWS do', async (method, path, query, body) => {
  const clock = new ManualClock();
  const fetch = scriptedFetch(() => new Response('{}'));
  const umbra = new Umbra({ url: 'https://umbra.example:8443', auth: sigV4(KEY), fetch, clock });
  await umbra.call({ method, path, query, body, idempotencyKey: null });
  const { headers } = fetch.sent[0]!;
  const signer = new SignatureV4({
    credentials: KEY,
    region: 'us-east-1',
    service: 'iotdata',
    sha256: Sha256 as never,
    applyChecksum: false,
  });
  const request = {
    method,
    protocol: 'https:',
    hostname: 'umbra.example',
    path,
    query,
    headers: { host: 'umbra.example:8443' },
    body,
  };
  const signed = await signer.sign(request as never, { signingDate: new Date(clock.now()) });
  expect(headers['authorization']).toBe(
    (signed as unknown as { headers: Record<string, string> }).headers['authorization'],
  );
});

it('takes the time of the service after a refusal for its clock', async () => {
  const clock = new ManualClock();
  const serverTime = clock.now() - 7_200_000;
  const dates: (string | undefined)[] = [];
  const fetch = scriptedFetch(({ url, headers }) => {
    const date = new Date(serverTime).toUTCString();
    if (url.endsWith('/health/live')) return new Response('{}', { headers: { date } });
    dates.push(headers['x-amz-date']);
    if (dates.length > 1) return new Response('{}');
    return new Response('{"type":"urn:umbra:problem:x","code":"AUTH_110"}', { status: 401 });
  });
  const umbra = new Umbra({ url: 'https://umbra.example', auth: sigV4(KEY), fetch, clock });
  await umbra.call({ path: '/v1/things' });
  expect(dates).toEqual(['20231114T221320Z', '20231114T201320Z']);
});
