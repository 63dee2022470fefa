import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintOf } from '../../src/auth/certificates/fingerprint.js';
import * as x509 from '../harness/x509.js';
import type { Lab, NodePlace, RunningNode } from './lab.js';
import { bearing, HttpConnection, type Showing } from './load/http-connection.js';
import type { DeviceCertificate } from './load/mqtt-device.js';
import type { AccessKey } from './load/signed-requests.js';

/** Connections by which records are made. */
const ADMINISTRATORS = 16;
const FORM = 'application/x-www-form-urlencoded';

/** Requests are counted, but nobody reaches a limit, nor is anybody slowed after failures. */
const LIMITS = { UMBRA_LIMIT_THING: '1000000', UMBRA_LIMIT_FAILURES: '0' };

/** What every node of one cluster has to be told. */
export function securedEnvironment(lab: Lab): Record<string, string> {
  const masterKey = join(lab.folder(), 'master.key');
  writeFileSync(masterKey, '7'.repeat(64), { mode: 0o600 });
  return { UMBRA_AUTH: 'on', UMBRA_MASTER_KEY: masterKey, UMBRA_AUTH_ISSUER: 'https://umbra.bench', ...LIMITS };
}

/** A device with a key of its own. */
export interface Member {
  readonly tenant?: string;
  readonly name: string;
  /** Beside its role. */
  readonly policies?: readonly string[];
}

/** A node whose callers need credentials, the first of its cluster, with its administrator. */
export class Secured {
  private constructor(
    readonly node: RunningNode,
    readonly admin: string,
  ) {}

  static async start(lab: Lab, place: NodePlace): Promise<Secured> {
    const node = await lab.node('umbra', { ...place, env: { ...securedEnvironment(lab), ...place.env } });
    return new Secured(node, readFileSync(join(node.process.dataDir, 'admin.key'), 'utf8').trim());
  }

  /** A principal and a key for each; by name. */
  async makeDevices(members: readonly Member[]): Promise<Map<string, string>> {
    const keys = new Map<string, string>();
    await this.each(members, async (http, { tenant = 'default', name, policies = [] }) => {
      const path = `/v1/tenants/${tenant}/principals/${name}`;
      await http.send('PUT', path, JSON.stringify({ thing: name, roles: ['device'], policies }));
      const { key } = JSON.parse(await http.send('POST', `${path}/keys`, '{}')) as { key: string };
      keys.set(name, key);
    });
    return keys;
  }

  /** An access token for each key; by name. */
  async tokensFor(keys: ReadonlyMap<string, string>): Promise<Map<string, string>> {
    const tokens = new Map<string, string>();
    await this.each([...keys], async (http, [name, key]) => {
      const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: name, client_secret: key });
      const { status, body } = await http.ask('POST', '/v1/auth/token', form.toString(), FORM, () => '');
      if (status !== 200) throw new Error(`no token: ${status} ${body}`);
      tokens.set(name, (JSON.parse(body) as { access_token: string }).access_token);
    });
    return tokens;
  }

  /** An access key of the administrator. */
  async accessKey(): Promise<AccessKey> {
    const http = await this.#open();
    const made = await http.send('POST', '/v1/principals/admin/keys', JSON.stringify({ kind: 'aws' }));
    http.end();
    return JSON.parse(made) as AccessKey;
  }

  /** Registers an authority of devices, with the proof that its key is here. */
  async register(authority: x509.Issued): Promise<void> {
    const http = await this.#open();
    const path = `/v1/tenants/default/authorities/${fingerprintOf(authority.der)}`;
    const { body } = await http.ask('PUT', path, JSON.stringify({ pem: authority.pem }));
    const code = /umbra\.authority\.[0-9a-f]{40}/.exec(body)?.[0];
    if (code === undefined) throw new Error(`no code of registration: ${body}`);
    const proof = x509.issue(authority, { subject: x509.nameOf(x509.cn(code)) });
    await http.send('PUT', path, JSON.stringify({ pem: authority.pem, proof: proof.pem }));
    http.end();
  }

  /** Does so with each item, several at a time, as the administrator. */
  async each<T>(items: readonly T[], work: (http: HttpConnection, item: T) => Promise<unknown>): Promise<void> {
    const left = [...items];
    const worker = async (): Promise<void> => {
      const http = await this.#open();
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(http, item);
      http.end();
    };
    await Promise.all(Array.from({ length: Math.min(ADMINISTRATORS, items.length) }, worker));
  }

  get shown(): Showing {
    return bearing(this.admin);
  }

  #open(): Promise<HttpConnection> {
    return HttpConnection.open(this.node.httpPort, this.shown);
  }
}

/** Certificates of devices by their names. One private key serves all: what is measured does not look at it. */
export function deviceCertificates(authority: x509.Issued, names: readonly string[]): Map<string, DeviceCertificate> {
  const keys = x509.ecKeys();
  return new Map(
    names.map((name) => {
      const { pem, key } = x509.issue(authority, { subject: x509.nameOf(x509.cn(name)), keys });
      return [name, { cert: pem, key }];
    }),
  );
}
