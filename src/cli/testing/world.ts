import { scriptedEvents, scriptedFetch, type ScriptedFetch, type Sent } from '../../sdk/testing/index.js';

/** A key that the service makes. It belongs in a file, and nowhere else. */
export const MADE_KEY = 'umk_0123456789abcdefMADE';
/** Of the context that commands use; it has the form of no credential of ours. */
export const CONTEXT_KEY = 'Very/Secret+Credential=="of\\the-context';

const TIME = '2026-11-28T00:00:00.000Z';
const SHADOW = {
  ...{ state: { desired: { power: 'on' }, delta: { power: 'on' } }, metadata: {} },
  ...{ version: 3, timestamp: 1, changedAt: TIME },
};
const DOCUMENT = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iot:GetThingShadow', Resource: 'arn:aws:iot:*:*:thing/lamp' }],
};
const VERSIONS = [1, 2].map((version) => ({ version, createdAt: TIME, createdBy: 'ada' }));
const POLICY = { policy: 'lamp', document: DOCUMENT, notes: [], version: 2, versions: VERSIONS, builtIn: false };
const TENANT = { tenant: 'acme', title: '', disabled: false, account: null, policies: [], limits: {}, createdAt: TIME };
const PRINCIPAL = {
  ...{ principal: 'lamp', kind: 'device', disabled: false, thing: 'lamp', thingType: null, attributes: {} },
  ...{ roles: ['device'], policies: [], groups: [], createdAt: TIME },
};
const KEY = {
  ...{ id: 'old', principal: 'lamp', kind: 'secret', title: '', disabled: false },
  ...{ createdAt: TIME, expiresAt: null },
};
const ME = { tenant: 'acme', principal: 'ada', thing: null, roles: [], scopes: null, expiresAt: null };
const AUDITED = {
  ...{ time: TIME, action: 'key:create', actor: { id: 'ada', tenant: 'acme', credential: 'key:x' }, tenant: 'acme' },
  ...{ target: '/v1/policies/lamp', address: '192.0.2.1', outcome: 'done', code: null, count: 1 },
};
const CHANGE = {
  ...{ kind: 'updated', tenant: 'acme', thing: 'lamp', shadow: null, version: 3, revision: 7, time: TIME },
  ...{ principal: 'ada', patch: {}, removed: [], delta: null, document: { state: {}, metadata: {}, version: 3 } },
};
const AUTHORITY = {
  ...{ authority: 'ab'.repeat(32), pem: '', key: null, notAfter: TIME, nameFrom: 'commonName', disabled: false },
  ...{ registersAtFirstSight: false, policies: [], createdAt: TIME, fault: null },
};
const RULES = {
  ...{ tenant: 'acme', ttl: 900, gracePeriod: 0, forceRotate: false, refreshTtl: 9, refreshIdle: 9, reuseGrace: 1 },
  ...{ clockSkew: 30, binding: 'client', yaml: 'ttl: 1h\n' },
};
const LIVE = {
  ...{ version: 7, document: { logLevel: 'warn' }, stagedBy: 'ada', stagedAt: TIME, restores: null },
  ...{ promotedBy: 'ada', promotedAt: TIME },
};
const TAKEN = { version: 7, accepted: true, fault: null };
const NODE = {
  ...{ node: 'n1', software: '1', connections: 11, draining: false },
  shed: { connections: 1, closed: 1, done: true },
};
const RUNTIME = {
  ...{ live: LIVE, staged: null, history: [LIVE] },
  nodes: [{ node: 'umbra-1', software: '1', inForce: 7, staged: TAKEN, live: TAKEN }],
};
const STATUS = {
  ...{ node: 'umbra-1', ready: true, version: '1', startedAt: TIME, nodes: ['umbra-1'] },
  parts: { etcd: { ok: true, since: TIME, reason: 'answers', failures: { count: 0, last: null } } },
  storage: { full: false, quotaBytes: 8, members: [{ member: 'e:1', leader: true, usedBytes: 1, quotaShare: 0.125 }] },
};
const EXPLAINED = { effect: 'none', policy: null, statement: null, source: null, active: true, permissions: [] };

/** Answers by method and path; the first one that fits. null: 204. A list ends what has no end otherwise. */
const ROUTES: readonly (readonly [route: RegExp, body: object | null | ((sent: Sent) => Response)])[] = [
  [/^GET .*\/watch$/, changes],
  [/^DELETE \/v1\/things\/\w+$/, { deleted: [] }],
  [/^\w+ \/v1\/things\/\w+\/shadow/, SHADOW],
  [/^GET \/v1\/things$/, { things: [{ thing: 'lamp', shadows: [] }] }],
  [/^GET \/health\/ready$/, { ready: true, version: '1', parts: {} }],
  [/^GET \/health\/status$/, STATUS],
  [/^GET \/api\/v1\/query$/, figure],
  [/^GET \/v1\/auth\/me$/, ME],
  [/^GET \/v1\/audit$/, { events: [AUDITED], next: 'a.1', node: 'umbra-1' }],
  [/^DELETE /, null],
  [/^POST .*\/policies\/explain$/, EXPLAINED],
  [/^GET .*\/policies$/, { policies: [POLICY] }],
  [/^\w+ .*\/policies\//, POLICY],
  [/^POST .*\/keys$/, { ...KEY, id: 'new', key: MADE_KEY }],
  [/^GET .*\/keys$/, { keys: [KEY] }],
  [/^GET .*\/principals$/, { principals: [PRINCIPAL] }],
  [/^\w+ .*\/principals\//, PRINCIPAL],
  [/^GET .*\/revocations$/, { revocations: [] }],
  [/^PUT .*\/revocations\//, { kind: 'certificate', id: 'c', reason: '', createdAt: TIME }],
  [/^PUT .*\/authorities\//, registered],
  [/^GET .*\/authorities$/, { authorities: [AUTHORITY] }],
  [/^GET .*\/authorities\//, AUTHORITY],
  [/^\w+ .*\/token-policy$/, RULES],
  [/^\w+ .*\/route-lists$/, { listeners: { https: { allow: null, deny: [] } } }],
  [/^\w+ \/v1\/runtime/, RUNTIME],
  [/^GET \/v1\/nodes$/, { nodes: [NODE, { ...NODE, node: 'n2', connections: 9 }], mean: 10 }],
  [/^POST \/v1\/nodes\/n1\/shed$/, { connections: 1, node: NODE }],
  [/^GET .*\/tenants$/, { tenants: [TENANT] }],
  [/^\w+ .*\/tenants\/\w+$/, TENANT],
];

/** It takes an authority with a proof alone, and says what has to be proved. */
function registered({ body = '' }: Sent): Response {
  if (/"(proof|disabled)"/.test(body)) return new Response(JSON.stringify(AUTHORITY), { headers: { etag: '"7"' } });
  const problem = { type: 'urn:umbra:problem:invalid-request', detail: `Prove umbra.authority.${'0a'.repeat(20)}` };
  return new Response(JSON.stringify(problem), { status: 400 });
}

/** Of Prometheus: certificates last for a month, and anything else is 2, such as the nodes that are ready. */
function figure({ url }: Sent): Response {
  const value = url.includes('tls_not_after') ? '2592000' : '2';
  return new Response(JSON.stringify({ status: 'success', data: { result: [{ value: [0, value] }] } }));
}

function changes(): Response {
  const events = scriptedEvents();
  events.send('change', CHANGE, 'c1');
  return events.response;
}

/**
 * A service that has one of everything.
 * @param refuse answers in its place, or fails; undefined: it answers
 */
export function world(refuse: (sent: Sent) => Response | undefined = () => undefined): ScriptedFetch {
  return scriptedFetch((sent) => {
    const route = `${sent.method} ${decodeURIComponent(new URL(sent.url).pathname)}`;
    const refusal = refuse(sent);
    if (refusal) return refusal;
    const body = ROUTES.find(([each]) => each.test(route))?.[1];
    if (body === undefined) throw new Error(`the world has no ${route}: add it to src/cli/testing/world.ts`);
    if (typeof body === 'function') return (body as (sent: Sent) => Response)(sent);
    const headers = { etag: '"7"', 'umbra-revision': '7', date: new Date().toUTCString() };
    return body === null
      ? new Response(null, { status: 204, headers })
      : new Response(JSON.stringify(body), { headers });
  });
}
