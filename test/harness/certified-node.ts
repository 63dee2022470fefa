import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { fingerprintOf } from '../../src/auth/certificates/fingerprint.js';
import { freePort } from './ports.js';
import { startSecureNode, type Asked, type SecureNode, type SecureNodeOptions } from './secure-node.js';
import * as x509 from './x509.js';

export interface Answer {
  readonly status: number;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
  readonly isResumed: boolean;
  readonly session: Buffer | undefined;
}

const HOUR_MS = 3_600_000;

/** A node with authentication and TLS at both doors, whose clock stands. */
export class CertifiedNode {
  readonly #clients: MqttClient[] = [];
  #authorities = 0;

  private constructor(
    readonly node: SecureNode,
    private readonly dir: string,
    /** The certificate of the node, for `localhost`, signed by itself. */
    readonly own: x509.Issued,
  ) {}

  static async start(options: SecureNodeOptions = {}): Promise<CertifiedNode> {
    const dir = mkdtempSync(join(tmpdir(), 'umbra-certified-'));
    const own = x509.issue(null, { subject: x509.nameOf(x509.cn('localhost')) });
    const [cert, key] = [join(dir, 'node.crt'), join(dir, 'node.key')];
    writeFileSync(cert, own.pem);
    writeFileSync(key, own.key);
    const environment = {
      UMBRA_TLS_CERT: cert,
      UMBRA_TLS_KEY: key,
      UMBRA_HTTPS_PORT: String(await freePort()),
      UMBRA_MQTTS_PORT: String(await freePort()),
      ...options.environment,
    };
    return new CertifiedNode(await startSecureNode({ ...options, environment }), dir, own);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.end(true);
    await this.node.stop();
    rmSync(this.dir, { recursive: true });
  }

  /** Parts of a certificate that is valid now. */
  dates(more: x509.CertificateParts = {}): x509.CertificateParts {
    const now = this.node.clock.now();
    return { notBefore: now - HOUR_MS, notAfter: now + HOUR_MS, ...more };
  }

  /** Its name is its own: of many that share one the later ones are found by their key identifier alone. */
  authority(more: x509.AuthorityParts = {}): x509.Issued {
    const now = this.node.clock.now();
    const name = `Authority ${++this.#authorities}`;
    return x509.issueAuthority({ name, notBefore: now - 24 * HOUR_MS, notAfter: now + 24 * HOUR_MS, ...more });
  }

  /** A certificate with these common names. */
  device(
    authority: x509.Issued | null,
    name: string | readonly string[],
    more: x509.CertificateParts = {},
  ): x509.Issued {
    const subject = x509.nameOf(...[name].flat().map((each) => x509.cn(each)));
    return x509.issue(authority, this.dates({ subject, ...more }));
  }

  path(authority: x509.Issued, tenant = 'default'): string {
    return `/v1/tenants/${tenant}/authorities/${fingerprintOf(authority.der)}`;
  }

  /** Registers an authority, with the proof that its key is here. */
  async register(authority: x509.Issued, members: object = {}, tenant?: string): Promise<Asked> {
    const { admin, ask } = this.node;
    const path = this.path(authority, tenant);
    const told = await ask('PUT', path, admin, { pem: authority.pem });
    const code = codeIn(told);
    return ask('PUT', path, admin, { pem: authority.pem, proof: this.device(authority, code).pem, ...members });
  }

  /** A client of MQTT. `shown` null: without a certificate. */
  async connect(
    clientId: string,
    shown: x509.Issued | null,
    options: IClientOptions & Pick<ConnectionOptions, 'maxVersion'> = {},
  ): Promise<MqttClient> {
    const client = await connectAsync(this.node.mqttsUrl!, {
      clientId,
      reconnectPeriod: 0,
      protocolVersion: 5,
      ...tlsOf(shown),
      ...options,
    });
    client.on('error', () => undefined);
    this.#clients.push(client);
    return client;
  }

  /** One request over a connection of its own, unless there is an agent. */
  https(
    method: string,
    path: string,
    shown: x509.Issued | null,
    options: RequestOptions & ConnectionOptions = {},
    body = '',
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let session: Buffer | undefined;
      const url = new URL(path, this.node.httpsUrl!);
      const sent = request(url, { method, agent: false, ...tlsOf(shown), ...options }, (answer) => {
        const isResumed = (answer.socket as TLSSocket).isSessionReused();
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('error', reject).on('end', () => {
          const isJson = answer.headers['content-type']?.includes('json') === true;
          resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(text) : text, isResumed, session });
        });
      });
      sent.on('socket', (socket) => socket.on('session', (given: Buffer) => (session = given)));
      sent.on('error', reject).end(body);
    });
  }
}

/** The code that an answer says has to be in a proof. */
export function codeIn({ body }: Asked): string {
  const code = /umbra\.authority\.[0-9a-f]{40}/.exec((body as { detail: string }).detail)?.[0];
  if (code === undefined) throw new Error(JSON.stringify(body));
  return code;
}

function tlsOf(shown: x509.Issued | null): { rejectUnauthorized: false; cert?: string; key?: string } {
  return { rejectUnauthorized: false, ...(shown && { cert: shown.pem, key: shown.key }) };
}
