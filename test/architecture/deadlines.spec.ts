import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/**
 * Every call that leaves a node ends by itself, at a deadline. This table lists each place of src/ where one begins; a
 * place that is not here fails, and so does one that is gone. src/launcher/ is left out: it runs before there is a node.
 * So are src/sdk/ and src/cli/: they run in programs of their users, never in a node, and their own specs hold their
 * deadlines.
 */
interface Outgoing {
  /** What is called. */
  readonly to: string;
  /** Texts of the code that hold the deadline, by file. */
  readonly limits: readonly (readonly [file: string, text: string])[];
  /** Tests in which the other side takes the call and never answers, by file. */
  readonly heldBy: readonly (readonly [file: string, title: string])[];
}

const SILENT = 'test/integration/deadlines.spec.ts';
const LINES = 'test/integration/etcd-channel-lines.spec.ts';
const CHANNEL = 'src/store/etcd/client/channel';

const CONNECTION: Outgoing = {
  to: 'a member of etcd, over a connection of our own',
  limits: [
    [`${CHANNEL}/member-connection.ts`, 'connectMs: 2_500'],
    [`${CHANNEL}/member-connection.ts`, 'pongMs: 5_000'],
    // The deadline of each call, whatever the connection does.
    [`${CHANNEL}/unary-call.ts`, 'setTimeout(() => setImmediate(() => this.#expire(timeoutMs)), timeoutMs)'],
  ],
  heldBy: [
    [LINES, 'has sent nothing to a host that accepts and says nothing'],
    [LINES, 'leaves a connection that has gone dead, without a call that waits for ever'],
    ['test/integration/etcd-channel.spec.ts', 'is in doubt at its deadline'],
    ['test/integration/etcd-doubt.spec.ts', 'is outcomeUnknown when the deadline comes first'],
    [SILENT, 'a call over a channel'],
  ],
};

const ENDPOINT: Outgoing = {
  // A message is tried for long, and then a dead letter: src/sinks/webhooks/webhook-sink.ts.
  to: 'the endpoint of a webhook: its name, its connection, one request',
  limits: [
    ['src/sinks/webhooks/endpoint-client.ts', 'connectMs: 5_000, totalMs: 15_000'],
    ['src/sinks/webhooks/endpoint-client.ts', 'setTimeout(() => give(`no answer within ${totalMs} ms`), totalMs)'],
    [
      'src/sinks/webhooks/endpoint-client.ts',
      'setTimeout(() => give(`no connection within ${connectMs} ms`), connectMs)',
    ],
  ],
  heldBy: [
    ['test/integration/webhook-sink.spec.ts', 'gives up an endpoint that says nothing, whatever it speaks'],
    ['test/integration/webhook-sink.spec.ts', 'reads so much of an answer and no more'],
  ],
};

const OUTGOING: Readonly<Record<string, Outgoing>> = {
  'src/auth/tokens/bounded-fetch.ts fetch': {
    to: 'an issuer of tokens',
    limits: [
      ['src/auth/tokens/bounded-fetch.ts', 'FETCH_MS = 5_000'],
      ['src/auth/tokens/bounded-fetch.ts', 'setTimeout(stop, FETCH_MS)'],
    ],
    heldBy: [
      [SILENT, 'the keys of an issuer that never answers'],
      [SILENT, 'the keys of an issuer that answers byte by byte'],
    ],
  },
  'src/telemetry/otlp.ts import()': {
    to: 'a receiver of traces',
    limits: [
      ['src/telemetry/otlp.ts', 'TIMEOUT_MS = 10_000'],
      // Whatever the exporter does.
      ['src/telemetry/span-queue.ts', 'HUNG_MS = 15_000'],
    ],
    heldBy: [
      ['src/telemetry/otlp.spec.ts', 'is lost after a time when the receiver %s'],
      ['src/telemetry/otlp.spec.ts', 'counts what is lost when the receiver %s, and goes on'],
    ],
  },
  'src/store/etcd/etcd-advice.ts fetch': {
    to: 'the metrics of a member of etcd',
    limits: [
      ['src/store/etcd/etcd-advice.ts', 'METRICS_MS = 2_000'],
      ['src/store/etcd/etcd-advice.ts', 'AbortSignal.timeout(METRICS_MS)'],
    ],
    heldBy: [[SILENT, 'the metrics of a member']],
  },
  'src/store/local-etcd/local-etcd.ts fetch': {
    to: 'the local etcd, whether it answers',
    limits: [
      ['src/store/local-etcd/local-etcd.ts', 'PROBE_MS = 1_000'],
      ['src/store/local-etcd/local-etcd.ts', 'AbortSignal.timeout(PROBE_MS)'],
    ],
    heldBy: [['src/store/local-etcd/local-etcd.spec.ts', 'etcd did not answer within 2 s']],
  },
  'src/store/local-etcd/guard.ts node:child_process.spawn': {
    to: 'the local etcd: its start and its end',
    limits: [
      ['src/store/local-etcd/local-etcd.ts', 'START_MS = 60_000'],
      ['src/store/local-etcd/local-etcd.ts', 'within((TERM_SECONDS + 1) * 1000, exited)'],
      ['src/store/local-etcd/local-etcd.ts', 'within(KILL_WAIT_MS, '],
    ],
    heldBy: [['src/store/local-etcd/local-etcd.spec.ts', 'etcd did not answer within 2 s']],
  },
  'src/store/local-etcd/process-table.ts node:child_process.execFileSync': {
    to: '`ps`, where there is no /proc',
    limits: [['src/store/local-etcd/process-table.ts', 'timeout: 5000']],
    heldBy: [],
  },
  [`${CHANNEL}/member-connection.ts node:net.connect`]: CONNECTION,
  [`${CHANNEL}/member-connection.ts node:tls.connect`]: CONNECTION,
  'src/store/etcd/client/etcd-client.ts etcd3.Etcd3': {
    to: 'a member of etcd, by the library: each call that is no stream',
    limits: [
      // For calls that give none, and for those of EtcdMembers, which also outlive a library that hangs.
      ['src/store/etcd/client/etcd-client.ts', 'deadline: Date.now() + config.callTimeoutMs'],
      ['src/store/etcd/client/members.ts', 'unlessHung(withValidToken(call), member.host, timeoutMs)'],
      [
        'src/store/etcd/client/members.ts',
        "if (left <= (attempt === 0 ? 0 : MARGIN_MS)) throw new ServiceError('storageUnavailable')",
      ],
      ['src/store/etcd/client/etcd-tokens.ts', 'unlessHung(this.authenticate(host), host, this.timeoutMs)'],
      ['src/store/etcd/etcd-cluster-keys.ts', 'CALL_MS = 2_000'],
    ],
    heldBy: [
      [SILENT, 'a call of the library that gives no deadline'],
      [SILENT, 'every call to the keys of a cluster'],
      ['src/store/etcd/client/etcd-tokens.spec.ts', 'toThrow(CallHung)'],
      ['test/e2e/drain.spec.ts', 'ends within its bound when etcd never answers'],
    ],
  },
  'src/store/etcd/etcd-cluster-keys.ts .leaseKeepAlive()': {
    to: 'a sign of life of a lease: a stream for one question, ended by the EtcdMembers that it goes through',
    limits: [
      [
        'src/store/etcd/etcd-cluster-keys.ts',
        'this.#cluster.read((client) => keepAliveOnce(client, lease), this.#due())',
      ],
    ],
    heldBy: [[SILENT, 'every call to the keys of a cluster']],
  },
  'src/store/etcd/feed/watch-session.ts .stream()': {
    to: 'a watch, which lives for ever and has to show life',
    limits: [['src/store/etcd/feed/watch-session.ts', 'openMs: 2_000, probeMs: 3_000, stallMs: 6_000']],
    heldBy: [
      ['test/integration/shadow-feed-faults.spec.ts', 'leaves a member that swallows everything for the next one'],
      ['test/integration/key-watch-faults.spec.ts', 'leaves a member that swallows everything for the next one'],
      [LINES, 'keeps a quiet stream alive by pings, and ends it when the line is dead'],
    ],
  },
  ...Object.fromEntries(
    ['dns.lookup', 'http.Agent', 'http.request', 'https.Agent', 'https.request'].map((name) => [
      `src/sinks/webhooks/endpoint-client.ts node:${name}`,
      ENDPOINT,
    ]),
  ),
  'src/mqtt/external/client.ts mqtt.connect': {
    // A message has no deadline of its own: it is kept over lost connections and sent again, at least once and in order.
    // A request that waits for it ends at its own.
    to: 'an external broker: connecting, showing life, ending',
    limits: [
      ['src/mqtt/external/client.ts', 'CONNECT_TIMEOUT_MS = 5_000'],
      ['src/mqtt/external/client.ts', 'connectTimeout: CONNECT_TIMEOUT_MS'],
      ['src/mqtt/external/client.ts', 'KEEPALIVE_SECONDS = 30'],
      ['src/mqtt/external/client.ts', 'Promise.race([ended, late])'],
    ],
    heldBy: [
      [SILENT, 'a broker that takes connections and says nothing'],
      [SILENT, 'a broker whose TLS says nothing'],
    ],
  },
  'src/sinks/redis-streams.sink.ts ioredis.Redis': {
    to: 'Redis: connecting, a confirmation',
    limits: [
      ['src/sinks/redis-streams.sink.ts', 'ANSWER_MS = 5_000'],
      ['src/sinks/redis-streams.sink.ts', 'connectTimeout: this.answerMs, commandTimeout: this.answerMs'],
    ],
    heldBy: [['test/integration/redis-sink.spec.ts', 'leaves a server that takes connections and says nothing']],
  },
  'src/sinks/nats.sink.ts @nats-io/transport-node.connect': {
    // A change has no deadline of its own: it is sent again until the stream confirms it, and the cursor waits.
    to: 'NATS: connecting, showing life, a confirmation',
    limits: [
      ['src/sinks/nats.sink.ts', 'ANSWER_MS = 5_000'],
      ['src/sinks/nats.sink.ts', 'timeout: this.answerMs,'],
      ['src/sinks/nats.sink.ts', 'pingInterval: PING_MS'],
      ['src/sinks/nats.sink.ts', '{ timeout: this.answerMs }'],
    ],
    heldBy: [['test/integration/nats-sink.spec.ts', 'leaves a server that takes connections and says nothing']],
  },
};

/** Names that open something from this node; every other name of these modules does not. */
const CONNECTS: Readonly<Record<string, readonly string[]>> = {
  'node:http': ['request', 'get', 'Agent', 'ClientRequest'],
  'node:https': ['request', 'get', 'Agent'],
  'node:http2': ['connect'],
  'node:net': ['connect', 'createConnection', 'Socket', 'Stream'],
  'node:tls': ['connect', 'TLSSocket'],
  'node:dgram': ['createSocket', 'Socket'],
  'node:dns': ['lookup', 'resolve', 'resolve4', 'resolve6', 'Resolver', 'promises'],
  'node:dns/promises': ['lookup', 'resolve', 'resolve4', 'resolve6', 'Resolver'],
  'node:child_process': ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'],
  mqtt: ['connect', 'connectAsync', 'MqttClient'],
  etcd3: ['Etcd3'],
  ws: ['WebSocket'],
  ioredis: ['Redis', 'Cluster', 'default'],
  '@nats-io/transport-node': ['connect', 'wsconnect'],
  '@grpc/grpc-js': ['Client', 'makeClientConstructor', 'loadPackageDefinition', 'Channel'],
};
/** Modules that open nothing by themselves. One that is in neither list fails: whoever adds it says what it does. */
const QUIET = new Set([
  ...['node:buffer', 'node:crypto', 'node:events', 'node:fs', 'node:fs/promises', 'node:os', 'node:path', 'node:url'],
  ...[
    'node:module',
    'node:readline',
    'node:stream',
    'node:stream/promises',
    'node:inspector/promises',
    'node:string_decoder',
    'node:timers',
    'node:timers/promises',
    'node:perf_hooks',
    'node:util',
    'node:util/types',
    'node:v8',
    'node:zlib',
  ],
  ...['@nestjs/common', '@nestjs/core', '@nestjs/microservices', '@nestjs/platform-fastify', '@nestjs/swagger'],
  ...['@grpc/proto-loader', '@grpc/reflection', 'grpc-health-check'],
  ...[
    'class-transformer',
    'class-validator',
    'cockatiel',
    'fastest-levenshtein',
    'fastify',
    'jose',
    'lru-cache',
    'pino',
  ],
  ...['pino-pretty', 'reflect-metadata', 'rxjs', 'swagger-ui-dist', 'typebox', 'yaml'],
  // Speaks over a connection that others have opened.
  '@nats-io/jetstream',
]);
/** What comes from outside and is only wrapped. */
const INCOMING = new Set(['src/mqtt/built-in/connections/shared-reads.ts node:net.Socket']);
/** Streams of etcd: the library gives them no deadline. */
const STREAMS = new Set(['stream', 'leaseKeepAlive', 'watch', 'bidiStream', 'makeBidiStreamRequest']);

const packageOf = (name: string): string =>
  name.startsWith('node:')
    ? name
    : name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/');

/** Where calls begin in a source, as `what` of a place. */
function beginnings(file: string, text: string): string[] {
  const found = new Set<string>();
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return importedBy(node).forEach((each) => found.add(each));
    if (isImportOfOthers(node)) found.add('import()');
    if (ts.isIdentifier(node) && node.text === 'fetch' && isValue(node)) found.add('fetch');
    if (ts.isIdentifier(node) && ['WebSocket', 'EventSource'].includes(node.text) && ts.isNewExpression(node.parent)) {
      found.add(node.text);
    }
    if (isStream(node)) found.add(`.${node.name.text}()`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found];
}

/** A file of ours that is imported later is looked at like any other. */
function isImportOfOthers(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return false;
  const [name] = node.arguments;
  return !name || !ts.isStringLiteral(name) || !name.text.startsWith('.');
}

function importedBy({ importClause, moduleSpecifier }: ts.ImportDeclaration): string[] {
  const name = (moduleSpecifier as ts.StringLiteral).text;
  if (name.startsWith('.') || importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
  const module = CONNECTS[name] ? name : packageOf(name);
  const connecting = CONNECTS[module];
  if (!connecting) return QUIET.has(module) ? [] : [`${module}, of which nobody has said whether it connects`];
  const bindings = importClause?.namedBindings;
  if (importClause?.name || (bindings && ts.isNamespaceImport(bindings))) return [`${module}.*`];
  const names = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
  return names
    .filter(({ isTypeOnly }) => !isTypeOnly)
    .map((each) => (each.propertyName ?? each.name).text)
    .filter((each) => connecting.includes(each))
    .map((each) => `${module}.${each}`);
}

/** The global function, called or passed on; not a member, a parameter or a name in an object of the same name. */
function isValue(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent))
    return parent.name !== node || parent.expression.getText() === 'globalThis';
  const isName = 'name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
  return !isName && !ts.isTypeQueryNode(parent) && !ts.isBindingElement(parent);
}

function isStream(node: ts.Node): node is ts.PropertyAccessExpression {
  if (!ts.isPropertyAccessExpression(node) || !ts.isCallExpression(node.parent)) return false;
  if (node.parent.expression !== node || !STREAMS.has(node.name.text)) return false;
  // Of the library or of a channel: others have members of these names too.
  return /(client|channel)$/i.test(node.expression.getText());
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((name) => join('src', name))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts') && !/^src\/(?:launcher|sdk|cli)\//.test(name));
/** Most files import nothing that connects and name nothing that could: they need no parser. */
const isQuiet = (text: string): boolean =>
  !/fetch|WebSocket|EventSource|import\(|stream\(|leaseKeepAlive|watch\(/i.test(text) &&
  [...text.matchAll(/(?:from|import) '([^.'][^']*)'/g)].every(([, name]) => QUIET.has(packageOf(name ?? '')));
const places = files
  .map((file) => [file, readFileSync(file, 'utf8')] as const)
  .filter(([, text]) => !isQuiet(text))
  .flatMap(([file, text]) => beginnings(file, text).map((what) => `${file} ${what}`))
  .filter((place) => !INCOMING.has(place));

describe('every call that leaves a node', () => {
  it('begins at a place of the table, and every place of the table is there', () => {
    expect(places.sort()).toEqual(Object.keys(OUTGOING).sort());
  });

  it.each(Object.entries(OUTGOING))('has a deadline: %s', (_place, { limits, heldBy }) => {
    // Prettier breaks lines where it likes.
    const textOf = (file: string): string => readFileSync(file, 'utf8').replace(/\s+/g, ' ');
    const missing = [...limits, ...heldBy].filter(([file, text]) => !textOf(file).includes(text));
    expect(missing).toEqual([]);
    expect(limits.length).toBeGreaterThan(0);
  });

  it.each([
    ['const a = await fetch(url);', 'fetch'],
    ['const a = (get = fetch) => get(url);', 'fetch'],
    ['const a = { fetch };', 'fetch'],
    ['globalThis.fetch(url);', 'fetch'],
    ["import { get as ask } from 'node:https';", 'node:https.get'],
    ["import * as net from 'node:net';", 'node:net.*'],
    ["import http from 'node:http';", 'node:http.*'],
    ["import { connect } from 'node:tls';", 'node:tls.connect'],
    ["import { execFile } from 'node:child_process';", 'node:child_process.execFile'],
    ["import axios from 'axios';", 'axios, of which nobody has said whether it connects'],
    ["import { x } from '@scope/client/deep';", '@scope/client, of which nobody has said whether it connects'],
    ["const a = await import('anything');", 'import()'],
    ['const a = await import(`./${name}.js`);', 'import()'],
    ['new WebSocket(url);', 'WebSocket'],
    ['client.leaseClient.leaseKeepAlive();', '.leaseKeepAlive()'],
    ['this.#channel.stream(path, {});', '.stream()'],
  ])('is found in %s', (text, what) => {
    expect(beginnings('x.ts', text)).toEqual([what]);
  });

  it.each([
    "import type { request } from 'node:http';",
    "import { type Socket, isIP } from 'node:net';",
    "import { fetch } from './ours.js';",
    "const a = await import('./ours.js');",
    'const a = options.fetch; interface B { fetch: number }',
    'const { fetch } = options;',
    'subscription.stream(); list.watch();',
  ])('is not found in %s', (text) => {
    expect(beginnings('x.ts', text)).toEqual([]);
  });
});
