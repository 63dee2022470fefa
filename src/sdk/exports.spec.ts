import { readFileSync } from 'node:fs';
import * as auth from './auth/index.js';
import * as device from './device/index.js';
import * as main from './index.js';
import * as redis from './redis/index.js';
import * as telemetry from './telemetry/index.js';
import * as testing from './testing/index.js';

/** Each export where a program would use it. Held by the compiler: none of these functions is called. */

const look = (...values: readonly unknown[]): void => void values;

interface Lamp {
  power: 'on' | 'off';
}

export async function shadows(options: main.UmbraOptions): Promise<void> {
  const umbra = new main.Umbra({ ...options, auth: main.bearer('umk_') });
  const thing: main.Thing = umbra.thing('lamp');
  const shadow: main.Shadow<Lamp> = thing.shadow<Lamp>();
  const desired: main.SectionOf<main.DesiredOf<Lamp>, Lamp> = shadow.desired;
  const read: main.GetOptions = { minRevision: 1, ...({ timeoutMs: 1 } satisfies main.CallOptions) };
  const write: main.WriteOptions = { ifVersion: 'absent', lease: 'l' };
  const state: main.ShadowState<Lamp> | null = await shadow.get(read);
  const patch: main.Patch<Lamp> = { desired: { power: 'on' } satisfies main.DeepPartial<Lamp> };
  const update: main.UpdateOptions<Lamp> = { attempts: 2, ...(state && { known: state }) };
  await shadow.update((now: main.ShadowState<Lamp>) => (now.version === 0 ? patch : null), update);
  const reported: Partial<main.ReportedOf<Lamp>> | undefined = (await desired.clear(write)).reported;
  const written: main.Written = await shadow.delete();
  for await (const each of umbra.things()) {
    const known: main.ThingSummary = each;
    const names: readonly main.ShadowSummary[] = known.shadows;
    const any: main.AnyState = { reported, names, written };
    await thing.shadow().patch({ reported: any });
  }
}

export async function changes(umbra: main.Umbra, store: main.Store): Promise<void> {
  const cursor: main.Cursor = Math.random() > 0.5 ? main.fileCursor('./cursor') : main.storeCursor(store, 'cursor');
  const filter: main.WatchFilter = { kinds: 'updated', ...({ things: 'lamp-*' } satisfies main.ShadowFilter) };
  const stream: main.StreamOptions = { initial: true, heartbeatMs: 1_000 };
  const onReload = (reason: main.ReloadReason | 'cut-off'): void => look(reason);
  const options: main.WatchOptions = { initial: stream.initial, cursor, onReload };
  for await (const change of umbra.watch<Lamp>(filter, options)) {
    const data: main.ChangeData<Lamp> = change satisfies main.Change<Lamp>;
    const document: main.ChangedDocument<Lamp> | null = data.document;
    look(document?.state.desired?.power);
  }
  const byPower: main.Index<Lamp> = ({ desired }) => desired.power;
  const kept: main.CacheOptions<Lamp> = { indexes: { byPower }, store };
  const cache: main.ShadowCache<Lamp> = umbra.cache<Lamp>({}, kept);
  cache.on('health', ({ state }: main.CacheHealth) => look(state));
  const hear = (...[{ differences }]: main.CacheEvents<Lamp>['resync']): main.Resync['differences'] => differences;
  cache.on('resync', hear);
}

export async function transactions(umbra: main.Umbra): Promise<readonly main.OperationResult[]> {
  const condition: main.Condition = { path: '/desired', exists: true };
  const operation: main.Operation = { op: 'check', thing: 'lamp', conditions: [condition] };
  const options: main.TransactionOptions = { clientToken: 'c' };
  const result: main.TransactionResult = await umbra.transaction([operation], options);
  return result.results;
}

export async function calls(umbra: main.Umbra, given: Partial<main.Platform>): Promise<main.Outcome | null> {
  const own: main.Link = async (call: main.Call, next: main.Next): Promise<main.Answer> => next(call);
  const place: main.Place = { before: 'retry' satisfies main.BuiltInLink };
  const platform = given as main.Platform;
  const again: main.RetryOptions = { attempts: 2 };
  umbra.use(own, place).use(main.retry(platform, again), { replace: 'retry' });
  umbra.use(main.log(platform), { replace: 'log' }).use(main.renewal(main.anonymous), { replace: 'renewal' });
  const query: main.Query = { limit: 1 satisfies main.QueryValue };
  const request: main.Request = { path: '/v1/things', query };
  const fetch: main.Fetch = (url, init) => platform.fetch(url, init);
  const [clock, logger]: [main.Clock, main.Logger] = [platform.clock, platform.logger];
  const secret: main.Secret = () => Promise.resolve('umk_');
  const scope: main.ClientSecretOptions = { scope: 'iot:Get*' };
  const credential: main.Auth = main.clientSecret('dash', secret, scope);
  try {
    await new main.Umbra({ url: 'https://umbra.example', auth: credential, fetch, clock, logger }).call(request);
    return null;
  } catch (error) {
    const isLate = error instanceof main.UmbraError && error.code === ('timeout' satisfies main.ClientCode);
    return isLate ? error.outcome : null;
  }
}

export async function credentials(pem: auth.TlsOptions): Promise<readonly (auth.Auth | auth.OidcSession)[]> {
  const options: auth.SessionOptions = { store: auth.fileStore('./logins') };
  const secret: auth.Secret = 'umk_';
  const scope: auth.ClientSecretOptions = { ...options, scope: '*' };
  const session: auth.AuthSession = auth.clientSecret('dash', secret, scope);
  session.on('refresh', ({ reason }: auth.Refresh) => look(reason satisfies auth.RefreshReason));
  session.on('state', (state: auth.SessionEvents['state']) => look(state satisfies auth.SessionState));
  const source: auth.TokenSource = {
    renew: ({ refreshToken }: auth.RenewRequest): Promise<auth.Grant> =>
      Promise.resolve({ token: String(refreshToken), lifetimeMs: null }),
  };
  const memory: auth.SealedMemoryOptions = { idleMs: 1 };
  const login: auth.RefreshTokenOptions = { clientId: 'dash', clientSecret: secret, store: auth.browserStore() };
  const get: auth.TokenFunction = () => 'token';
  const key: auth.SigV4Options = { accessKeyId: 'UMBA', secretAccessKey: 's' };
  const shown: auth.CertificateOptions = { ...pem, cert: 'PEM', key: 'PEM' };
  const issuer: auth.OidcOptions = { issuer: 'https://issuer.example', clientId: 'dash' };
  const people: auth.OidcSession = auth.oidc(issuer);
  const begin: auth.BeginOptions = { redirectUri: 'http://127.0.0.1/' };
  const elsewhere: auth.DeviceLogin = await people.deviceCode();
  look(await people.begin(begin), elsewhere.userCode, auth.tlsFetch(pem));
  return [
    ...[new auth.AuthSession(source, { store: auth.sealedMemoryStore(memory) }), auth.refreshToken(login), people],
    ...[auth.apiKey('umk_'), auth.bearer('umk_'), auth.anonymous, auth.sigV4(key), auth.tokenFunction(get)],
    auth.certificate(shown),
  ];
}

export function observations(umbra: main.Umbra, session: auth.AuthSession): Promise<number> {
  const options: telemetry.TelemetryOptions = {};
  const seen: telemetry.Telemetry = telemetry.telemetry(options);
  const traced: telemetry.Traced = seen.traced;
  look(seen.use(umbra).use(seen.tracing).use(seen.metrics), seen.session(session));
  return traced('own', ({ traceparent = '' }) => Promise.resolve(traceparent.length));
}

export async function devices(given: device.Dial, events: device.ConnectionEvents): Promise<device.Connection> {
  const dial: device.Dial = (options: device.DialOptions, heard) => given(options, heard);
  const credential: device.Auth = device.bearer('umk_');
  const kept: device.FileOutboxOptions = { durable: true };
  const outbox: device.Outbox = device.fileOutbox('./outbox', kept);
  const options: device.DeviceOptions = { url: 'mqtts://umbra.example', thing: 'lamp', auth: credential, outbox, dial };
  const lamp: device.Device<Lamp> = await device.connect<Lamp>(options);
  const shadow: device.DeviceShadow<Lamp> = lamp.shadow;
  const handler: device.DeltaHandler<device.DeepPartial<Lamp>, device.DeepPartial<Lamp>> = (
    delta,
    { signal }: device.DeltaContext,
  ) => (signal.aborted ? undefined : delta);
  shadow.onDelta(handler);
  shadow.onDocuments(({ current }: device.Documents<Lamp>) => look(current.version));
  const wait: device.WaitOptions = { timeoutMs: 1 };
  const reported: device.Reported = await shadow.report({ power: 'on' }, wait);
  const state: device.DeviceState<Lamp> | null = await shadow.get();
  const any: device.AnyState = { state, reported };
  const down: device.UplinkEvents['down'] = (error) => {
    const outcome: device.Outcome | null = error instanceof device.UmbraError ? error.outcome : null;
    look(outcome, any, device.storeOutbox);
  };
  lamp.on('down', down);
  return dial({ password: null, isFirst: true, signal: new AbortController().signal }, events);
}

export async function consumers(client: redis.RedisClient): Promise<redis.ConsumeReport> {
  const on: redis.ConsumeEvents<Lamp> = { trimmed: ({ where }: redis.Trimmed) => look(where) };
  const handle = (change: redis.Entry<Lamp>, { tries }: redis.Delivery): void => {
    const entry: redis.ShadowEntry<Lamp> | redis.PresenceEntry = change;
    look(entry.id, tries);
  };
  const names = { redis: client, stream: 's', group: 'g', consumer: 'c' };
  const options: redis.ConsumeOptions<Lamp> = { ...names, handle, on };
  const fallback: redis.Fallback<Lamp> = () => Promise.resolve(null);
  const onFallback = (reason: redis.FallbackReason): void => look(reason);
  const kept: redis.ReadCacheOptions<Lamp> = { redis: client, prefix: 'p', fallback, onFallback };
  const cache: redis.ReadCache<Lamp> = redis.readCache<Lamp>(kept);
  await cache.get('lamp', null, { maxAgeMs: 1 } satisfies redis.CacheReadOptions);
  return redis.consume<Lamp>(options);
}

export function tests(): unknown {
  const fetch: testing.ScriptedFetch = testing.scriptedFetch(({ url }: testing.Sent) => new Response(url));
  const events: testing.ScriptedEvents = testing.scriptedEvents();
  const script: testing.NodeScript = {
    publish: ({ topic }: testing.Published, connection: testing.ScriptedConnection) => connection.send(topic, {}),
  };
  return [fetch, events, testing.scriptedNode(script), testing.memoryStore(), new testing.ManualClock()];
}

const text = readFileSync('src/sdk/exports.spec.ts', 'utf8');
const entries: Readonly<Record<string, object>> = { main, auth, device, redis, telemetry, testing };
const paths = Object.keys((JSON.parse(readFileSync('src/sdk/package.json', 'utf8')) as { exports: object }).exports);

it.each(paths.filter((path) => path !== './package.json'))('every export of %s is used above', (path) => {
  const entry = path === '.' ? 'main' : path.slice(2);
  const file = path === '.' ? 'src/sdk/index.ts' : `src/sdk/${entry}/index.ts`;
  const lists = readFileSync(file, 'utf8').matchAll(/^export (?:type )?\{([^}]*)\}/gm);
  const names = [...lists]
    .flatMap(([, list = '']) => list.split(','))
    .map((name) => name.replace(/^\s*type /, '').trim())
    .filter((name) => name !== '');
  expect(names.filter((name) => !new RegExp(`\\b${entry}[.]${name}\\b`).test(text))).toEqual([]);
  expect(names).toEqual(expect.arrayContaining(Object.keys(entries[entry] ?? {})));
  expect(names.length).toBeGreaterThan(0);
});
