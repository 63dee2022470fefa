import { Agent, request } from 'node:http';
import { HOST } from '../http-connection.js';
import { tokenOf } from './token.js';
import { within } from './within.js';
import { Turns } from './turns.js';

const CONNECTIONS = 64;
const PASSING = 'passing-by';

/** Applications over both REST APIs, on kept connections of Node's own client. */
export class RestClient {
  // In turn, so that none is idle for so long that the node closes it.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' });
  readonly #turns = new Map<string, Turns>();
  #count = 0;

  constructor(private readonly port: number) {}

  /** By the API of AWS. */
  get(thing: string, name: string | null): Promise<void> {
    return this.#send('GET', `/things/${thing}/shadow${queryOf(name)}`);
  }

  /** By the API of AWS. */
  post(dueAt: number, thing: string, name: string | null): Promise<void> {
    const body = { state: { desired: { target: ++this.#count } }, clientToken: tokenOf(dueAt) };
    return this.#send('POST', `/things/${thing}/shadow${queryOf(name)}`, body);
  }

  /** By the own API. */
  patch(dueAt: number, thing: string, name: string | null): Promise<void> {
    const body = { state: { desired: { target: ++this.#count } }, clientToken: tokenOf(dueAt) };
    return this.#send('PATCH', `/v1/things/${thing}/shadow${queryOf(name)}`, body);
  }

  /** Creates the shadow that comes and goes, or deletes it. */
  comeOrGo(dueAt: number, thing: string): Promise<'come' | 'gone'> {
    const turns = this.#turns.get(thing) ?? new Turns();
    this.#turns.set(thing, turns);
    return turns.next(
      () => this.post(dueAt, thing, PASSING),
      () => this.#send('DELETE', `/things/${thing}/shadow${queryOf(PASSING)}`),
    );
  }

  end(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body?: object): Promise<void> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const answered = new Promise<void>((resolve, reject) => {
      const sent = request({ host: HOST, port: this.port, agent: this.#agent, method, path, headers }, (answer) => {
        let told = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => (told += part));
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve();
          else reject(new Error(`HTTP ${answer.statusCode}: ${told}`));
        });
      });
      sent.on('error', reject);
      sent.end(text);
    });
    return within(answered);
  }
}

function queryOf(name: string | null): string {
  return name === null ? '' : `?name=${name}`;
}
