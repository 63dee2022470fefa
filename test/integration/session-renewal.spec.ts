import { pino } from 'pino';
import { connect as connectDevice } from '../../src/sdk/device/index.js';
import { ManualClock } from '../../src/sdk/testing/index.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const lines: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
let node: SecureNode;
/** Keys by principal. */
const keys: Record<string, string> = {};
/** Every token that was given, which no log may hold. */
const given: string[] = [];

/** A request of OAuth by `client_secret_basic`. */
function post(path: string, who: string, form: Record<string, string>): Promise<Response> {
  const basic = Buffer.from(`${encodeURIComponent(who)}:${keys[who]}`).toString('base64');
  const headers = { authorization: `Basic ${basic}` };
  return fetch(`${node.url}/v1/auth/${path}`, { method: 'POST', headers, body: new URLSearchParams(form) });
}

async function grant(who: string, scope?: string): Promise<string> {
  const form = { grant_type: 'client_credentials', ...(scope !== undefined && { scope }) };
  const { access_token } = (await (await post('token', who, form)).json()) as { access_token: string };
  given.push(access_token);
  return access_token;
}

const RENEW = '$umbra/session/renew';
type Connected = Awaited<ReturnType<SecureNode['connect']>>;
/** The reason code of the PUBACK. */
const renew = (client: Connected, text: string): Promise<number> =>
  client.publishAsync(RENEW, text, { qos: 1 }).then(
    () => 0,
    ({ code }: { code: number }) => code,
  );
/** Has sessions judged by the time it is now: changes do that at once. */
const judged = async (): Promise<void> => {
  const { headers } = await node.ask('GET', '/v1/tenants/other', node.admin);
  const { status } = await node.ask('PUT', '/v1/tenants/other', node.admin, {}, { 'if-match': headers.get('etag')! });
  expect(status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 50));
};

const store = new MemoryShadowStore();
const update = store.update.bind(store);
/** Lets no update of a shadow end until it is released. */
function holdStore(): [held: { count: number }, release: () => void] {
  const held = { count: 0 };
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  store.update = async (...request) => {
    held.count++;
    await released;
    return update(...request);
  };
  return [held, release];
}

beforeAll(async () => {
  node = await startSecureNode({ store, logger, environment: { UMBRA_AUTH_ISSUER: 'https://shadows.example.com' } });
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  keys['lamp'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  keys['service'] = await node.make('service', { kind: 'service', roles: ['service'] });
  keys['other/lamp'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] }, 'other');
});
afterAll(() => node.stop());

describe('a session', () => {
  it('lives on past the end of its token with a newer one, and ends with that', async () => {
    const client = await node.connect('lamp', await grant('lamp'));
    const reasons: (number | undefined)[] = [];
    client.on('disconnect', ({ reasonCode }) => void reasons.push(reasonCode));
    node.clock.advance(1_800_000);
    expect(await renew(client, await grant('lamp'))).toBe(0);
    node.clock.advance(1_801_000);
    await judged();
    const topic = '$aws/things/lamp/shadow/update';
    await client.subscribeAsync(`${topic}/accepted`);
    const answered = new Promise((resolve) => client.once('message', resolve));
    await client.publishAsync(topic, '{"state":{"reported":{"a":2}}}', { qos: 1 });
    await answered;
    node.clock.advance(1_800_000);
    await judged();
    await until('the end of the connection', () => !client.connected);
    expect(reasons).toEqual([0x87]);
  });

  it('takes nothing else for a newer token, and goes on with its own', async () => {
    const old = await grant('lamp');
    node.clock.advance(3_600_000);
    const older = await grant('lamp');
    node.clock.advance(1_000);
    const client = await node.connect('lamp', await grant('lamp'));
    node.clock.advance(1_000);
    const denied = await grant('lamp');
    expect((await post('revoke', 'lamp', { token: denied })).status).toBe(200);
    const whole = await grant('lamp');
    const offered = {
      ...{ expired: old, older, denied, nothing: '', text: 'x', long: `eyJ${'x'.repeat(100_000)}` },
      ...{
        tampered: `${whole.slice(0, -4)}AAAA`,
        key: keys['lamp']!,
        'without iot:Connect': await grant('lamp', 'iot:Publish'),
      },
      ...{ 'of a service': await grant('service'), 'of another tenant': await grant('other/lamp') },
    };
    for (const [what, text] of Object.entries(offered)) expect([what, await renew(client, text)]).toEqual([what, 0x87]);
    await expect(client.subscribeAsync(RENEW)).rejects.toThrow();
    await expect(client.subscribeAsync('$umbra/#')).rejects.toThrow();
    const { body } = await node.ask('GET', '/v1/audit?outcome=refused&limit=100', node.admin);
    const codes = body.events.flatMap(({ action, target, code }: Record<string, string>) =>
      action === 'mqtt:publish' && target === RENEW ? [code] : [],
    );
    expect(new Set(codes)).toEqual(new Set(['AUTH_101', 'AUTH_102', 'AUTH_103', 'AUTH_105', 'AUTH_107', 'AUTH_201']));
    expect([await renew(client, whole), await renew(client, whole)]).toEqual([0, 0]);
    await client.endAsync();
  });

  it('may publish what its newest token covers, and nothing once that has ended, whatever it was allowed before', async () => {
    const topic = '$aws/things/lamp/shadow/update';
    const publish = (client: Connected): Promise<number> =>
      client.publishAsync(topic, '{"state":{"reported":{"a":3}}}', { qos: 1 }).then(
        () => 0,
        ({ code }: { code: number }) => code,
      );
    const client = await node.connect('lamp', await grant('lamp'));
    expect([await publish(client), await publish(client)]).toEqual([0, 0]);
    node.clock.advance(1_000);
    expect(await renew(client, await grant('lamp', 'iot:Connect iot:Publish'))).toBe(0);
    expect([await publish(client), await publish(client)]).toEqual([0, 0]);
    node.clock.advance(1_000);
    expect(await renew(client, await grant('lamp', 'iot:Connect'))).toBe(0);
    expect(await publish(client)).toBe(0x87);
    node.clock.advance(1_000);
    expect(await renew(client, await grant('lamp'))).toBe(0);
    expect([await publish(client), await publish(client)]).toEqual([0, 0]);
    // Nothing has changed but the time, and nobody has judged the session by it yet.
    node.clock.advance(4_000_000);
    expect(await publish(client)).toBe(0x87);
    await client.endAsync();
  });

  it('of a key has nothing to renew, and MQTT 3.1.1 hears of a refusal by the end of its connection', async () => {
    const byKey = await node.connect('lamp', keys['lamp']!);
    expect(await renew(byKey, await grant('lamp'))).toBe(0x87);
    await byKey.endAsync();
    const old = await node.connect('lamp', await grant('lamp'), { protocolVersion: 4 });
    node.clock.advance(1_000);
    expect(await renew(old, await grant('lamp'))).toBe(0);
    old.publish(RENEW, 'x', { qos: 1 });
    await until('the end of the connection', () => !old.connected);
  });
});

it('is renewed by a device of the client library, which keeps its connection', async () => {
  const clock = new ManualClock(node.clock.now());
  const auth = { headers: () => Promise.resolve({}), token: () => grant('lamp') };
  const device = await connectDevice({ url: node.mqttUrl, thing: 'lamp', clock, auth });
  const ends: unknown[] = [];
  device.on('down', (error) => void ends.push(error));
  await device.shadow.report({ a: 4 });
  const renewals = (): number => lines.filter((line) => line.includes('session renewed')).length;
  const before = renewals();
  node.clock.advance(3_310_000);
  await clock.advance(3_310_000);
  await until('the renewal', () => renewals() === before + 1);
  node.clock.advance(600_000);
  await judged();
  await device.shadow.report({ a: 5 });
  expect(ends).toEqual([]);
  await device.close();
});

describe('a report of a device of the client library, when its token ends before there is a newer one', () => {
  /** A device whose source has the old token until `renew`, and a report of it that is stored. */
  async function started() {
    let token = await grant('lamp');
    const ends: unknown[] = [];
    const auth = { headers: () => Promise.resolve({}), token: () => Promise.resolve(token) };
    const reconnect = { firstMs: 20, longestMs: 20 };
    const device = await connectDevice({ url: node.mqttUrl, thing: 'lamp', auth, reconnect });
    device.on('down', ({ code }) => void ends.push(code));
    const { version } = await device.shadow.report({ step: 1 });
    const renew = async (): Promise<void> => void (token = await grant('lamp'));
    return { device, ends, version, renew };
  }

  it('is sent again over the next connection, though the node was carrying it out', async () => {
    const { device, ends, version, renew } = await started();
    const [held, release] = holdStore();
    const report = device.shadow.report({ step: 2 });
    await until('the report at the store', () => held.count > 0);
    node.clock.advance(3_601_000);
    await renew();
    await judged();
    await until('the next connection', () => ends.length > 0 && device.connected);
    release();
    expect((await report).version).toBeGreaterThan(version);
    expect(ends).toEqual(['not-allowed']);
    expect((await device.shadow.get())?.reported).toMatchObject({ step: 2 });
    await device.close();
  });

  it('is sent again over the next connection, when the node refuses it before it ends the connection', async () => {
    const { device, ends, version, renew } = await started();
    // Nobody has judged the session by the time yet.
    node.clock.advance(3_601_000);
    await renew();
    expect((await device.shadow.report({ step: 3 })).version).toBeGreaterThan(version);
    expect(ends).toHaveLength(1);
    expect((await device.shadow.get())?.reported).toMatchObject({ step: 3 });
    await device.close();
  });
});

it('lets a device of the client library nowhere but to its own shadow, and says so', async () => {
  const errors: unknown[] = [];
  const quiet = (): void => undefined;
  const logger = { debug: quiet, info: quiet, warn: quiet, error: (data: object) => void errors.push(data) };
  const own = { url: node.mqttUrl, clientId: 'lamp', auth: keys['lamp']!, logger };
  const device = await connectDevice({ ...own, thing: 'other' });
  const refusal = { code: 'forbidden', status: 403, outcome: 'not-applied', retryable: false };
  await expect(device.shadow.report({ a: 1 })).rejects.toMatchObject(refusal);
  await expect(device.shadow.get()).rejects.toMatchObject(refusal);
  device.shadow.onDelta(() => undefined);
  await until('the word in the log', () => errors.length > 0);
  expect(errors).toEqual([{ code: 'forbidden' }]);
  expect(device.connected).toBe(true);
  await device.close();
  await expect(connectDevice({ ...own, thing: 'lamp', auth: `${keys['lamp']}x` })).rejects.toMatchObject({
    ...{ code: 'not-authenticated', status: 401 },
  });
});

it('leaves no token in the log', () => {
  const log = lines.join('');
  expect(log).toContain('session renewed');
  expect(given.filter((text) => log.includes(text.slice(-20)))).toEqual([]);
});
