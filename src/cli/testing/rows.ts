import { CONTEXT_KEY } from './world.js';

/** How a command is tried. */
export interface Row {
  /**
   * What follows its name. `HOME` is a folder of its own, which has `files`, and an authority: `ca.crt` and `ca.key`.
   */
  readonly line: string;
  /** What it is about to be tried against: it asks no service, it reads, or it changes something. */
  readonly does: 'nothing' | 'read' | 'write';
  /** By their names in the folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** What is different when it is carried out once more. */
  readonly again?: { readonly line: string };
  /** Exit codes that differ from those of other commands, by the status of the service. */
  readonly exits?: Readonly<Record<number, number>>;
  /** Whether its answer is no JSON, also with --json: a script. */
  readonly isText?: true;
}

const DOCUMENT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: 'iot:GetThingShadow', Resource: 'arn:aws:iot:*:*:thing/lamp' }],
});
const files = { 'lamp.json': DOCUMENT, 'key.txt': `${CONTEXT_KEY}\n` };

const SHADOWS: Readonly<Record<string, Row>> = {
  get: { line: 'lamp', does: 'read' },
  set: { line: 'lamp power=on', does: 'write' },
  patch: { line: 'lamp power=on', does: 'write' },
  delete: { line: 'lamp --yes', does: 'write' },
  watch: { line: 'lamp --count 1', does: 'read' },
  things: { line: '', does: 'read' },
};

const OWN: Readonly<Record<string, Row>> = {
  'context list': { line: '', does: 'nothing' },
  'context show': { line: '', does: 'nothing' },
  'context set': { line: 'other --server http://other.test --key-file HOME/key.txt', does: 'nothing', files },
  'context use': { line: 'home', does: 'nothing' },
  'context delete': { line: 'spare --yes', does: 'nothing', again: { line: 'more --yes' } },
  init: { line: 'spare --server http://umbra.test --key-file HOME/key.txt --yes', does: 'read', files },
  login: { line: 'home --key-file HOME/key.txt', does: 'read', files },
  logout: { line: 'spare', does: 'nothing', again: { line: 'more' } },
  doctor: { line: '', does: 'read' },
  completion: { line: 'bash', does: 'nothing', isText: true },
};

const POLICIES: Readonly<Record<string, Row>> = {
  'policy list': { line: '', does: 'read' },
  'policy get': { line: 'lamp', does: 'read' },
  'policy apply': { line: 'HOME/lamp.json', does: 'write', files },
  // A policy that is not there yet differs from the file.
  'policy diff': { line: 'HOME/lamp.json', does: 'read', files, exits: { 404: 0 } },
  'policy import': { line: 'HOME/lamp.json --replace', does: 'write', files },
  'policy rollback': { line: 'lamp', does: 'write' },
  'policy delete': { line: 'lamp --yes', does: 'write' },
  'policy explain': { line: 'lamp iot:Publish topic/t', does: 'read' },
  'audit tail': { line: '--no-follow', does: 'read' },
};

const ADMINISTRATION: Readonly<Record<string, Row>> = {
  'tenant list': { line: '', does: 'read' },
  'tenant show': { line: 'acme', does: 'read' },
  'tenant create': { line: 'acme', does: 'write' },
  'tenant update': { line: 'acme --disable', does: 'write' },
  'tenant delete': { line: 'acme --yes', does: 'write' },
  'client list': { line: '', does: 'read' },
  'client show': { line: 'lamp', does: 'read' },
  'client create': { line: 'lamp', does: 'write' },
  'client update': { line: 'lamp --disable', does: 'write' },
  'client delete': { line: 'lamp --yes', does: 'write' },
  'client key list': { line: 'lamp', does: 'read' },
  'client key create': { line: 'lamp --out HOME/new.key', does: 'write' },
  'client key rotate': { line: 'lamp --out HOME/new.key --yes', does: 'write' },
  'client key revoke': { line: 'lamp old --yes', does: 'write' },
  'client certificate list': { line: '', does: 'read' },
  'client certificate revoke': { line: `${'ab'.repeat(32)} --yes`, does: 'write' },
  'client certificate restore': { line: `${'ab'.repeat(32)} --yes`, does: 'write' },
};

const SHA256 = 'ab'.repeat(32);
const BY_AUTHORITY = '--ca HOME/ca.crt --ca-key HOME/ca.key';

const DEVICES: Readonly<Record<string, Row>> = {
  'ca create': { line: '--name Acme --out HOME/new.crt --key-out HOME/new.key', does: 'nothing' },
  'ca prove': { line: `umbra.authority.0a ${BY_AUTHORITY} --out HOME/proof.pem`, does: 'nothing' },
  'ca list': { line: '', does: 'read' },
  'ca show': { line: SHA256, does: 'read' },
  'ca register': { line: 'HOME/ca.crt --ca-key HOME/ca.key', does: 'write' },
  'ca update': { line: `${SHA256} --disable`, does: 'write' },
  'ca remove': { line: `${SHA256} --yes`, does: 'write' },
  'device list': { line: '', does: 'read' },
  'device show': { line: 'lamp', does: 'read' },
  'device create': { line: 'lamp --key-out HOME/new.key', does: 'write' },
  'device update': { line: 'lamp --disable', does: 'write' },
  'device delete': { line: 'lamp --yes', does: 'write' },
  'device key': { line: 'lamp --out HOME/new.key', does: 'write' },
  'device cert': { line: `lamp ${BY_AUTHORITY} --out HOME/new.crt --key-out HOME/new.key`, does: 'nothing' },
  'device csr': { line: 'lamp --out HOME/new.csr --key-out HOME/new.key', does: 'nothing' },
  'device revoke': { line: 'lamp --yes', does: 'write' },
  'device restore': { line: 'lamp', does: 'write' },
};

const FORM = JSON.stringify({
  ...{ what: 'a', who: 'ada', link: 'b', compatibility: 'c', rollback: 'd' },
  from: { version: '1', reads: [1, 2], writes: 2 },
  to: { version: '1.1', reads: [1, 2], writes: 2 },
});

const SERVICE: Readonly<Record<string, Row>> = {
  'token-policy get': { line: '', does: 'read' },
  'token-policy apply': { line: 'HOME/rules.yaml', does: 'write', files: { 'rules.yaml': 'ttl: 2h\n' } },
  'token-policy delete': { line: '--yes', does: 'write' },
  'route-list list': { line: '', does: 'read' },
  'route-list get': { line: '', does: 'read' },
  'route-list apply': {
    ...{ line: 'HOME/routes.json', does: 'write' },
    files: { 'routes.json': '{"listeners": {"https": {"deny": ["* /v1/tenants/**"]}}}' },
  },
  'route-list delete': { line: '--yes', does: 'write' },
  'ops status': { line: '', does: 'read' },
  'ops preflight': { line: '--prometheus http://prometheus.test', does: 'read' },
  'ops release': {
    line: 'HOME/form.yaml --forms HOME/kept --outside-window --reason tried',
    ...{ does: 'read', files: { 'form.yaml': FORM } },
  },
  'ops canary': {
    line: '1 --prometheus http://prometheus.test --requests 1 --window 1s',
    does: 'read',
    exits: { 401: 1, 403: 1, 404: 1, 412: 1 },
  },
  'ops rollback': { line: '--to 1 --by-hand --no-watch --within 1s', does: 'read' },
  'ops nodes': { line: '', does: 'read' },
  'ops rebalance': { line: '', does: 'write' },
  'ops config get': { line: '', does: 'read' },
  'ops config stage': { line: 'HOME/debug.json', does: 'write', files: { 'debug.json': '{"logLevel": "debug"}' } },
  'ops config promote': { line: '', does: 'write' },
  'ops config rollback': { line: '6', does: 'write' },
  'ops config history': { line: '', does: 'read' },
};

/** Every command of the program by its name. One without a row fails the tests: what it needs is in world.ts. */
export const ROWS: Readonly<Record<string, Row>> = {
  ...{ ...SHADOWS, ...OWN, ...POLICIES },
  ...{ ...ADMINISTRATION, ...DEVICES, ...SERVICE },
};
