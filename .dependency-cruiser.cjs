/** The layers of docs/architecture.md, as rules. Each comment says why the wall is there. */
const onlyFrom = (name, comment, from, to) => ({
  name,
  comment,
  severity: 'error',
  from: { pathNot: from },
  to: { path: to },
});

/**
 * The floors of the house, lowest first. A folder imports from its own floor's other folders never, and from lower
 * floors freely. Files directly below src/ put the house together and stand above all.
 */
const FLOORS = [
  ['errors', 'resilience'],
  ['access', 'document', 'telemetry'],
  ['config', 'tls'],
  ['store'],
  ['directory', 'breakers'],
  ['cluster', 'watch', 'http', 'grpc'],
  [
    'sinks',
    'auth',
    'audit',
    'limits',
    'principals',
    'groups',
    'keys',
    'policies',
    'tenants',
    'fleet',
    'health',
    'console',
    'leases',
    'idempotency',
    'runtime',
  ],
  ['mqtt', 'history', 'authorities', 'issuers', 'revocations', 'token-policy', 'route-lists', 'dead-letters'],
  ['shadow', 'transactions', 'presence', 'nodes'],
  ['things', 'bulk'],
];

/** One rule per folder: it imports itself, lower floors and packages, nothing else of src. */
const ranks = FLOORS.flatMap((floor, index) =>
  floor.map((folder) => ({
    name: `ranks-${folder}`,
    comment: `src/${folder}/ may import only from lower floors: ${FLOORS.slice(0, index).flat().join(', ') || 'none'}.`,
    severity: 'error',
    from: { path: `^src/${folder}/`, pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: `^src/(${[folder, ...FLOORS.slice(0, index).flat()].join('|')})/` },
  })),
);

module.exports = {
  forbidden: [
    ...ranks,
    {
      name: 'every-folder-has-a-floor',
      comment: 'A new folder below src/ gets its place in FLOORS before anything imports it.',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: `^src/(launcher|sdk|cli|${FLOORS.flat().join('|')})/` },
    },
    {
      name: 'document-is-pure',
      comment:
        'The shadow document is a pure core: it imports nothing but the error table, so that it can be read and tested alone.',
      severity: 'error',
      from: { path: '^src/document/', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^src/(document|errors)/' },
    },
    onlyFrom(
      'only-store-etcd-imports-etcd3',
      'etcd and its traps stay behind the store contract.',
      '^(src/store/etcd/|test/)',
      'node_modules/etcd3/',
    ),
    onlyFrom(
      'only-the-grpc-door-imports-grpc',
      'The library of gRPC stays behind its door; the store has it as the transport of etcd.',
      '^(src/store/etcd/|src/grpc/|test/)',
      'node_modules/(@grpc|grpc-health-check)/',
    ),
    onlyFrom(
      'only-breakers-imports-cockatiel',
      'Everybody else asks for a breaker by the name of its dependency, so that all of them are shared and shown. etcd3 wants the noop policy of cockatiel instead of a breaker.',
      '^(src/breakers/|src/store/etcd/client/etcd-client[.]ts|test/)',
      'node_modules/cockatiel/',
    ),
    onlyFrom(
      'only-mqtt-imports-brokers',
      'MQTT packets stay behind the MQTT door.',
      '^(src/mqtt/|src/sdk/device/|test/)',
      'node_modules/(mqtt|mqtt-packet)/',
    ),
    onlyFrom(
      'only-the-external-door-imports-mqtt',
      'The built-in broker reads and writes its packets itself (ADR 0017); mqtt.js is a client.',
      '^(src/mqtt/external/|src/sdk/device/|test/|src/.*[.]spec[.]ts$)',
      'node_modules/(mqtt|mqtt-packet|aedes|aedes-persistence|aedes-packet|mqemitter)/',
    ),
    {
      name: 'doors-do-not-know-storage',
      comment: 'Doors call use cases; only modules wire implementations.',
      severity: 'error',
      from: { path: '^src/(shadow|things|bulk|mqtt|http|grpc|health)/', pathNot: '(\\.module|\\.spec)\\.ts$' },
      to: { path: '^src/store/(etcd|memory)/' },
    },
    onlyFrom(
      'the-server-does-not-know-its-client',
      'The client library is a package of its own, which the build of the server leaves out.',
      '^(src/sdk/|src/cli/|test/)',
      '^src/sdk/',
    ),
    onlyFrom(
      'nothing-knows-the-command',
      'The command is a program of its own, which the build of the server leaves out.',
      '^(src/cli/|test/)',
      '^src/cli/',
    ),
    {
      name: 'the-command-uses-the-client-alone',
      comment:
        'It asks the service as any application does: what it needs, the client library offers. Policies are checked by the code that the service checks them with, which is pure.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '^src/cli/testing/|[.]spec[.]ts$' },
      to: {
        path: '^(src|test)/',
        pathNot: '^src/(cli/|sdk/(auth/)?index[.]ts$|policies/policy-(document|fault)[.]ts$)',
      },
    },
    onlyFrom(
      'only-the-command-imports-its-packages',
      'Neither the server nor the client library has them.',
      '^(src/cli/|test/)',
      'node_modules/(commander|@clack|jsonc-parser|pkijs|asn1js)/',
    ),
    {
      name: 'the-client-stands-alone',
      comment: 'What a device or a browser installs has nothing of the server in it.',
      severity: 'error',
      from: { path: '^src/sdk/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^(src|test)/', pathNot: '^src/sdk/' },
    },
    {
      name: 'the-client-runs-in-browsers',
      comment:
        'Only its parts for devices, Redis and telemetry may need Node or a package; the rest needs the event-stream parser.',
      severity: 'error',
      from: { path: '^src/sdk/', pathNot: '(^src/sdk/(device|redis|telemetry)/|[.]spec[.]ts$)' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: 'node_modules/eventsource-parser/',
      },
    },
    {
      name: 'only-telemetry-imports-opentelemetry',
      comment:
        'For the client an optional peer: who does not use it does not install it (ADR 0029). The node loads it when it has a receiver of traces (ADR 0031).',
      severity: 'error',
      from: { path: '^src/', pathNot: '(^src/sdk/telemetry/|^src/telemetry/otlp[.]ts$|[.]spec[.]ts$)' },
      to: { path: 'node_modules/@opentelemetry/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'src-does-not-import-test',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/(sdk|cli)/dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
