import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority } from '../../harness/certificates.js';
import { issueAuthority } from '../../harness/x509.js';
import type { Lab, Measured, RunningNode, Side } from '../lab.js';
import { bearing, type Showing } from '../load/http-connection.js';
import { signing } from '../load/signed-requests.js';
import { openUpdateLoad, type UpdateLoadOptions } from '../load/update-load.js';
import { atLeast, note, perSecond, ratio, row, type Result, type Row } from '../result.js';
import { deviceCertificates, Secured } from '../secured.js';
import { nodeCost } from './doors.js';
import { fill, overHttp } from './gets.js';

const PREFIX = 'device';
/** Rounds for each that a bench usually has: the goals are a few hundredths away from 1. */
const TIMES = 2;

type Pids = (node: RunningNode) => Record<string, number>;
type Samples = readonly Measured[];

/** What keys and access tokens cost over MQTT: a node for each and one without credentials, in turn, on one etcd. */
export async function access(lab: Lab): Promise<Result> {
  const { etcd, pids } = await storage(lab);
  const off = await lab.node('umbra', { etcd });
  const byKey = await Secured.start(lab, { etcd });
  const byToken = await Secured.start(lab, { etcd });
  const keys = await byKey.makeDevices(devicesOf(lab));
  const tokens = await byToken.tokensFor(await byToken.makeDevices(devicesOf(lab)));
  const found = await lab.alternate(
    {
      off: await updates(lab, pids, off),
      key: await updates(lab, pids, byKey.node, { keyOf: (name) => keys.get(name) ?? '' }),
      token: await updates(lab, pids, byToken.node, { keyOf: (name) => tokens.get(name) ?? '' }),
    },
    lab.scale.pairs * TIMES,
  );
  return {
    rows: [
      ...rowsOf('updates', 'with keys over none', found.key, found.off, 0.97),
      ...rowsOf('updates', 'with access tokens over none', found.token, found.off, 0.97),
      row('processor of the node per update, without credentials', found.off.map(nodeCost), undefined, ' µs'),
    ],
    notes: notesOf(found),
  };
}

/**
 * What it costs that the service judges certificates itself. Without it OpenSSL does so by one authority, in the same
 * mutual TLS, and everybody whom it has signed may do everything.
 */
export async function accessTls(lab: Lab): Promise<Result> {
  const { etcd, pids } = await storage(lab);
  const server = await createAuthority();
  lab.onEnd(() => server.remove());
  const authority = issueAuthority();
  const file = join(lab.folder(), 'devices.crt');
  writeFileSync(file, authority.pem);
  const { cert, key } = server.server;
  const env = { UMBRA_MQTTS_PORT: '0', UMBRA_TLS_CERT: cert, UMBRA_TLS_KEY: key };
  const off = await lab.node('umbra', { etcd, env: { ...env, UMBRA_TLS_CA: file } });
  const on = await Secured.start(lab, { etcd, env });
  await on.register(authority);
  const devices = devicesOf(lab);
  await on.makeDevices(devices);
  const names = devices.map(({ name }) => name);
  const certificates = deviceCertificates(authority, names);
  const certificateOf = (name: string): { cert: string; key: string } => certificates.get(name)!;
  const tls = { ca: readFileSync(server.ca), certificateOf };
  const found = await lab.alternate(
    { off: await updates(lab, pids, off, { tls }), certificate: await updates(lab, pids, on.node, { tls }) },
    lab.scale.pairs * TIMES,
  );
  return {
    rows: [
      ...rowsOf('updates', 'with certificates over mutual TLS alone', found.certificate, found.off, 0.97),
      row('processor of the node per update, mutual TLS alone', found.off.map(nodeCost), undefined, ' µs'),
    ],
    notes: notesOf(found),
  };
}

/** What keys, access tokens and AWS signatures cost over HTTP. */
export async function accessHttp(lab: Lab): Promise<Result> {
  const { etcd, pids } = await storage(lab);
  const off = await lab.node('umbra', { etcd });
  const on = await Secured.start(lab, { etcd });
  const tokens = await on.tokensFor(new Map([['admin', on.admin]]));
  const aws = await on.accessKey();
  await fill(off.httpPort);
  await fill(on.node.httpPort, on.shown);
  const gets = (node: RunningNode, shown?: Showing): Promise<Side> => overHttp(lab, node.httpPort, pids(node), shown);
  const found = await lab.alternate(
    {
      off: await gets(off),
      key: await gets(on.node, on.shown),
      token: await gets(on.node, bearing(tokens.get('admin') ?? '')),
      signature: await gets(on.node, signing(aws)),
    },
    lab.scale.pairs * TIMES,
  );
  return {
    rows: [
      ...rowsOf('GETs', 'with a key over none', found.key, found.off, 0.95),
      ...rowsOf('GETs', 'with an access token over none', found.token, found.off, 0.95),
      ...rowsOf('GETs', 'with AWS signatures over none', found.signature, found.off, 0.85),
      row('processor of the node per GET, without credentials', found.off.map(nodeCost), undefined, ' µs'),
    ],
    notes: notesOf(found),
  };
}

export async function storage(lab: Lab): Promise<{ etcd: Awaited<ReturnType<Lab['etcd']>>[]; pids: Pids }> {
  const etcd = await lab.etcd();
  return { etcd: [etcd], pids: ({ process }) => ({ node: process.pid, etcd: etcd.pid }) };
}

export function devicesOf(lab: Lab): { readonly name: string }[] {
  return Array.from({ length: lab.size(400, 400, 10) }, (_, i) => ({ name: `${PREFIX}-${i}` }));
}

export async function updates(
  lab: Lab,
  pids: Pids,
  node: RunningNode,
  ways: Pick<UpdateLoadOptions, 'keyOf' | 'tls'> = {},
): Promise<Side> {
  const port = ways.tls ? (node.mqttsPort ?? node.mqttPort) : node.mqttPort;
  const load = await openUpdateLoad({ ports: [port], devices: devicesOf(lab).length, prefix: PREFIX, ...ways });
  lab.onEnd(() => load.end());
  return lab.loaded(load, pids(node));
}

function rowsOf(what: 'updates' | 'GETs', how: string, on: Samples, off: Samples, least: number): Row[] {
  return [
    ratio(`${what}/s ${how}`, on, off, perSecond, atLeast(least)),
    ratio(`processor of the node per ${what.slice(0, -1)}, ${how}`, on, off, nodeCost),
  ];
}

function notesOf(found: Readonly<Record<string, Samples>>): string[] {
  return Object.entries(found).map(([name, samples]) => note(name, [...samples]));
}
