import { Agent, get, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, get as getOverTls } from 'node:https';
import type { RunningNode } from '../lab.js';
import { HOST } from './http-connection.js';
import { Device, type DeviceTls } from './mqtt-device.js';

/** By what a principal is known: a key or a token, or a certificate at the TLS doors. */
export type Shown = { readonly secret: string } | { readonly tls: DeviceTls };

/** One principal that acts at every door of a node. */
export class TrialCaller {
  readonly #agent: Agent;

  constructor(
    readonly thing: string,
    private readonly shown: Shown,
  ) {
    const tls = 'tls' in shown ? { ca: shown.tls.ca, ...shown.tls.certificateOf?.(thing) } : null;
    this.#agent = tls ? new TlsAgent({ ...tls, keepAlive: true }) : new Agent({ keepAlive: true });
  }

  connect(node: RunningNode): Promise<Device> {
    if ('tls' in this.shown) return Device.connect(node.mqttsPort ?? 0, this.thing, this.shown.tls);
    return Device.connect(node.mqttPort, this.thing, undefined, this.shown.secret);
  }

  /** The status of an answer that has come whole; 0: there was none. */
  async read(node: RunningNode): Promise<number> {
    try {
      const answer = await this.#get(node, `/things/${this.thing}/shadow`);
      for await (const part of answer) void part;
      return answer.statusCode ?? 0;
    } catch {
      return 0;
    }
  }

  /** Opens the stream of the thing, and returns how to end it. @throws Error when it is refused */
  async watch(node: RunningNode, told: { onChange(): void; onEnd(): void }): Promise<() => void> {
    const stream = await this.#get(node, `/v1/things/${this.thing}/watch`);
    if (stream.statusCode !== 200) throw new Error(`no stream: ${stream.statusCode}`);
    stream.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('event: change')) told.onChange();
    });
    stream.on('close', () => told.onEnd());
    // A node that ends it in the middle is no fault.
    stream.on('error', () => undefined);
    return () => stream.destroy();
  }

  end(): void {
    this.#agent.destroy();
  }

  #get(node: RunningNode, path: string): Promise<IncomingMessage> {
    const { shown } = this;
    const isTls = 'tls' in shown;
    const headers = isTls ? {} : { authorization: `Bearer ${shown.secret}` };
    const port = isTls ? node.httpsPort : node.httpPort;
    const options = { host: HOST, port, path, agent: this.#agent, headers };
    return new Promise((resolve, reject) => {
      (isTls ? getOverTls : get)(options, resolve).on('error', reject);
    });
  }
}
