import { MAX_REPLAY } from '../../src/dead-letters/replay.js';
import { startSecureNode, type Asked, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';
import { status, WebhookReceiver, type Reply } from '../harness/webhook-receiver.js';

let node: SecureNode;
let receiver: WebhookReceiver;
let operator: string;
let secret = '';

interface Letter {
  readonly thing: string;
  readonly version: number;
}

const ask = (method: string, path: string, body?: unknown, headers = {}): Promise<Asked> =>
  node.ask(method, `/v1/sinks${path}`, node.admin, body, headers);
const webhook = (settings: object): object => ({ kind: 'webhook', settings });
async function update(thing: string, n: number): Promise<void> {
  const { status, body } = await node.ask('PATCH', `/v1/things/${thing}/shadow/reported`, node.admin, { n });
  if (status !== 200) throw new Error(JSON.stringify(body));
}
/** Things and versions of what the receiver got, in its order; all of it is signed as it should be. */
const got = (): string[] => receiver.events().map(({ data }) => `${data.thing} ${data.version}`);
const letters = async (query = ''): Promise<any> => (await ask('GET', `/hook/dead-letters${query}`)).body; // eslint-disable-line @typescript-eslint/no-explicit-any -- an answer
const refusing =
  (...things: string[]): Reply =>
  (response, { body }) =>
    void response.writeHead(things.some((thing) => body.includes(`"thing":"${thing}"`)) ? 422 : 204).end();

/** Waits until a change was refused, and lets as much time pass as it has. More would end the lease of the node. */
async function giveUp(change: string): Promise<void> {
  await until('it was refused', () => got().includes(change));
  node.clock.advance(1_001);
  await until('it is a dead letter', async () =>
    (await letters()).letters.some(({ thing, version }: Letter) => `${thing} ${version}` === change),
  );
}

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  node = await startSecureNode({ environment: { UMBRA_SINK_ADDRESSES: '127.0.0.1' } });
  operator = await node.make('operator', { kind: 'person', roles: ['operator'] });
});
afterAll(async () => {
  await node.stop();
  await receiver.stop();
});

describe('a webhook', () => {
  it.each([
    ['no URL', {}, 'settings.url is missing'],
    ['what is no URL', { url: 'hook' }, 'must be one such as https://example.com/hook'],
    ['another scheme', { url: 'ftp://example.com' }, 'must begin with https://'],
    ['a private address', { url: 'https://10.0.0.1/' }, 'private address'],
    ['plain HTTP to a public one', { url: 'http://1.1.1.1/' }, 'go over https'],
    ['a bad secret', { url: 'https://example.com', secret: 'hush' }, 'begins with whsec_'],
    ['too much patience', { url: 'https://example.com', giveUpAfterSeconds: 604_801 }, '1 to 604800'],
    ['a setting that there is not', { url: 'https://example.com', urls: [] }, 'urls'],
  ])('is not made of %s', async (_, settings, detail) => {
    const { status, body } = await ask('PUT', '/bad', webhook(settings));
    expect([status, body.detail]).toEqual([400, expect.stringContaining(detail)]);
    expect(JSON.stringify(body)).not.toContain('hush');
  });

  it('is made with a secret that is shown once, and gets every later change, signed', async () => {
    const made = await ask('PUT', '/hook', webhook({ url: receiver.url, giveUpAfterSeconds: 1 }));
    expect([made.status, made.body]).toMatchObject([201, { settings: { url: receiver.url }, secrets: ['secret'] }]);
    secret = made.body.settings.secret;
    receiver.secrets = [secret];
    const { settings } = (await ask('GET', '/hook')).body;
    expect(settings).toEqual({ url: receiver.url, giveUpAfterSeconds: 1 });
    for (let n = 1; n <= 3; n++) await update('lamp', n);
    await update('door', 1);
    await until('it has all', () => got().length === 4);
    expect(got().filter((each) => each.startsWith('lamp'))).toEqual(['lamp 1', 'lamp 2', 'lamp 3']);
    expect(receiver.events()[0]).toMatchObject({ type: 'shadow.updated', data: { kind: 'updated', thing: 'lamp' } });
  });

  it('signs with both secrets for a day after another was asked for', async () => {
    const { headers } = await ask('GET', '/hook');
    const members = webhook({ url: receiver.url, giveUpAfterSeconds: 1, secret: null });
    const { status, body } = await ask('PUT', '/hook', members, { 'if-match': headers.get('etag') });
    const young = body.settings.secret as string;
    expect([status, young === secret]).toEqual([200, false]);
    receiver.secrets = [secret, young];
    await update('lamp', 4);
    await until('it has the change', () => got().includes('lamp 4'));
    for (const each of receiver.secrets) {
      receiver.received.splice(0, receiver.received.length - 1);
      receiver.secrets = [each];
      expect(got()).toEqual(['lamp 4']);
    }
  });

  it('makes dead letters of what is not taken, shows them without their bodies, and sends others meanwhile', async () => {
    receiver.reply = refusing('poison', 'venom');
    await update('poison', 1);
    await update('poison', 2);
    await update('lamp', 5);
    await until('the other was sent', () => got().includes('lamp 5'));
    await giveUp('poison 1');
    await giveUp('poison 2');
    const [first, second] = (await letters()).letters;
    expect([first.version, second.version]).toEqual([1, 2]);
    expect(first).toEqual({
      letter: expect.stringMatching(/^evt_\d{16}_/),
      ...{ thing: 'poison', shadow: null, version: 1, revision: expect.any(Number), reason: 'status 422' },
      ...{ givenUpAt: expect.any(String), tries: expect.any(Number), bytes: expect.any(Number) },
    });
    expect(first.letter).toBe(receiver.ids.find((_, at) => receiver.received[at]?.body.includes('poison')));
    const page = await letters('?limit=1');
    expect([page.letters, page.next]).toEqual([[first], first.letter]);
    expect(await letters(`?after=${page.next}`)).toEqual({ letters: [second] });
  });

  it('replays dead letters: all that the endpoint takes go, those of a shadow behind one that fails stay', async () => {
    await update('venom', 1);
    await giveUp('venom 1');
    receiver.reply = refusing('venom');
    expect((await ask('POST', '/hook/dead-letters/replay', { letters: ['evt_none'] })).status).toBe(404);
    for (const body of [
      { letters: [] },
      { letters: [1] },
      { ids: ['a'] },
      { letters: Array(MAX_REPLAY + 1).fill('a') },
    ])
      expect((await ask('POST', '/hook/dead-letters/replay', body)).status).toBe(400);
    const [first] = (await letters()).letters;
    const { body } = await ask('POST', '/hook/dead-letters/replay', { letters: [first.letter] });
    expect(body).toEqual({ replayed: 1, failed: [], left: 0 });
    expect(receiver.ids.at(-1)).toBe(first.letter);
    const rest = await ask('POST', '/hook/dead-letters/replay');
    const stuck = (await letters()).letters;
    expect(rest.body).toEqual({ replayed: 1, failed: [{ letter: stuck[0].letter, reason: 'status 422' }], left: 0 });
    expect(stuck).toMatchObject([{ thing: 'venom' }]);
    receiver.reply = status(500);
    expect((await ask('POST', '/hook/dead-letters/replay')).body.failed).toMatchObject([{ reason: 'status 500' }]);
    receiver.reply = status(204);
  });

  it('sends one test event, and says what the endpoint has answered; it is no dead letter', async () => {
    const before = (await letters()).letters.length;
    receiver.reply = status(204);
    const good = await ask('POST', '/hook/test-event');
    expect(good.body).toMatchObject({ delivered: true, status: 204, error: null, durationMs: expect.any(Number) });
    expect(receiver.ids.at(-1)).toBe(good.body.event);
    expect(receiver.events().at(-1)).toMatchObject({ type: 'sink.test', data: { tenant: 'default', sink: 'hook' } });
    receiver.reply = status(500);
    const bad = await ask('POST', '/hook/test-event');
    expect(bad.body).toMatchObject({ delivered: false, status: 500, error: 'status 500' });
    receiver.reply = status(204);
    expect(receiver.ids.filter((id) => id === bad.body.event)).toHaveLength(1);
    expect((await letters()).letters).toHaveLength(before);
    expect((await ask('POST', '/none/test-event')).status).toBe(404);
    expect((await ask('POST', '/hook/test-event', { type: 'mine' })).status).toBe(400);
    expect((await node.ask('POST', '/v1/sinks/hook/test-event', operator)).status).toBe(403);
  });

  it('deletes dead letters, one or all', async () => {
    const [{ letter }] = (await letters()).letters;
    expect((await ask('DELETE', '/hook/dead-letters/evt_none')).status).toBe(404);
    expect((await ask('DELETE', `/hook/dead-letters/${letter}`)).status).toBe(204);
    expect(await letters()).toEqual({ letters: [] });
    expect((await ask('DELETE', '/hook/dead-letters')).status).toBe(204);
  });

  it('shows and gives its dead letters to nobody else', async () => {
    const path = '/v1/sinks/hook/dead-letters';
    for (const [method, more] of [
      ['GET', ''],
      ['DELETE', ''],
      ['DELETE', '/evt_1'],
      ['POST', '/replay'],
    ] as const) {
      expect((await node.ask(method, path + more, operator)).status).toBe(403);
      expect((await node.ask(method, `/v1/sinks/none/dead-letters${more}`, node.admin)).status).toBe(404);
    }
    await ask('PUT', '/stream', { kind: 'nats', settings: {} });
    expect((await ask('GET', '/stream/dead-letters')).status).toBe(404);
  });

  it('delays no other: an endpoint that says nothing, beside one that takes everything', async () => {
    const silent = await WebhookReceiver.start(() => undefined);
    expect((await ask('PUT', '/silent', webhook({ url: silent.url }))).status).toBe(201);
    const before = receiver.received.length;
    for (let n = 1; n <= 30; n++) await update(`many-${n}`, 1);
    await until(
      'one was asked, the other has all',
      () => silent.received.length > 0 && receiver.received.length - before === 30,
    );
    expect((await ask('DELETE', '/silent')).status).toBe(204);
    await silent.stop();
  });

  it('is paused with a reason when the endpoint is gone, and sends what it missed when somebody starts it again', async () => {
    receiver.reply = status(410);
    await update('lamp', 6);
    const { headers, body } = await until('it is paused', async () => {
      const shown = await ask('GET', '/hook');
      return shown.body.paused && shown;
    });
    expect(body.pauseReason).toContain('410 Gone');
    receiver.reply = status(204);
    const before = receiver.received.length;
    await update('lamp', 7);
    const again = webhook({ url: receiver.url });
    expect((await ask('PUT', '/hook', again, { 'if-match': headers.get('etag') })).body.paused).toBe(false);
    await until('it has both', () => got().slice(before).join() === 'lamp 6,lamp 7');
  });

  it('takes its dead letters with it', async () => {
    expect((await ask('DELETE', '/hook')).status).toBe(204);
    expect((await ask('GET', '/hook/dead-letters')).status).toBe(404);
  });
});
