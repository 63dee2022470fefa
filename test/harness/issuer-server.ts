import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, type JWTPayload } from 'jose';

/** A key pair with the name under which it is published. */
export interface IssuerKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function issuerKey(kid: string = randomUUID()): IssuerKey {
  return { kid, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
}

type Answer = (response: ServerResponse) => void;
const send =
  (value: unknown): Answer =>
  (response) =>
    void response.end(JSON.stringify(value));

/** An OpenID provider as far as who verifies its tokens sees it, which can misbehave. */
export class IssuerServer {
  #keys: readonly IssuerKey[] = [];
  #server: Server | null = null;
  readonly #answers = new Map<string, Answer>();
  /** Path of each request. */
  readonly requests: string[] = [];
  #port = 0;

  static async start(...keys: readonly IssuerKey[]): Promise<IssuerServer> {
    const server = new IssuerServer();
    await server.revive();
    server.publish(...keys);
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Signs with the first, and publishes all from now on. */
  publish(...keys: readonly IssuerKey[]): void {
    this.#keys = keys;
    const jwks = keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }));
    this.misbehave('', send({ keys: jwks }));
  }

  /** Another issuer below a path of this one, whose keys are found at an answer of that kind. Returns its URL. */
  misbehave(path: string, keys: Answer, metadata: object = {}): string {
    const issuer = this.url + path;
    const found = { issuer, jwks_uri: `${issuer}/jwks`, ...metadata };
    this.#answers.set(`${path}/.well-known/openid-configuration`, send(found)).set(`${path}/jwks`, keys);
    return issuer;
  }

  async revive(): Promise<void> {
    const server = createServer(({ url = '' }, response) => {
      this.requests.push(url);
      response.on('error', () => undefined);
      const answer = this.#answers.get(url);
      if (answer) answer(response);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async die(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(null));
    this.#server = null;
  }

  /** @param payload an undefined claim is left out */
  sign(
    payload: object,
    header: object = {},
    { kid, privateKey }: { readonly kid?: string; readonly privateKey?: KeyObject | Uint8Array } = this.#keys[0] ?? {},
  ): Promise<string> {
    return new SignJWT(payload as JWTPayload)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...(kid !== undefined && { kid }), ...header })
      .sign(privateKey!);
  }
}
