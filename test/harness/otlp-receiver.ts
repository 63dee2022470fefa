import { spawn, spawnSync } from 'node:child_process';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { freePort } from './ports.js';

/** Debian's package `protobuf-compiler` has it. Where it is not installed, tests that ask it are skipped. */
export const hasProtoc = spawnSync('protoc', ['--version']).status === 0;

/** One span as a receiver sees it. */
export interface ReceivedSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  /** Epoch nanoseconds. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, string>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** Empty: it is not set. */
  readonly status: string;
  /** `service.instance.id` of its resource. */
  readonly node: string;
}

/** A receiver of traces on loopback. What it answers can be changed while it runs. */
export class OtlpReceiver {
  readonly bodies: Buffer[] = [];
  readonly heads: IncomingHttpHeaders[] = [];
  reply: (response: ServerResponse) => void = accepted;
  readonly #server: Server;
  /** By the number of bodies. */
  readonly #decoded: Promise<ReceivedSpan[]>[] = [];

  private constructor(readonly port: number) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.bodies.push(Buffer.concat(chunks));
        this.heads.push(request.headers);
        this.reply(response);
      });
    });
  }

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(await freePort());
    await new Promise<void>((resolve) => receiver.#server.listen(receiver.port, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1/traces`;
  }

  /** All spans so far, as protoc reads them. */
  async spans(): Promise<ReceivedSpan[]> {
    for (let i = this.#decoded.length; i < this.bodies.length; i++) this.#decoded.push(decode(this.bodies[i]!));
    return (await Promise.all(this.#decoded)).flat();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function accepted(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
}

async function decode(body: Buffer): Promise<ReceivedSpan[]> {
  const tool = spawn('protoc', ['--decode=ExportTraceServiceRequest', '-I', 'test/cases/otlp', 'trace.proto']);
  tool.stdin.end(body);
  const [out, problem] = await Promise.all([text(tool.stdout), text(tool.stderr)]);
  if (problem !== '') throw new Error(problem);
  const request = readText(out.split('\n'));
  return all(request, 'resource_spans').flatMap((from) => {
    const node = attributesOf(all(from, 'resource')[0] ?? [])['service.instance.id'] ?? '';
    return all(from, 'scope_spans').flatMap((scope) => all(scope, 'spans').map((span) => spanOf(span, node)));
  });
}

function spanOf(span: Message, node: string): ReceivedSpan {
  return {
    name: one(span, 'name'),
    kind: one(span, 'kind'),
    traceId: hex(one(span, 'trace_id')),
    spanId: hex(one(span, 'span_id')),
    parentSpanId: hex(one(span, 'parent_span_id')),
    traceState: one(span, 'trace_state'),
    start: BigInt(one(span, 'start_time_unix_nano')),
    end: BigInt(one(span, 'end_time_unix_nano')),
    attributes: attributesOf(span),
    links: all(span, 'links').map((link) => ({
      traceId: hex(one(link, 'trace_id')),
      spanId: hex(one(link, 'span_id')),
    })),
    status: all(span, 'status').map((status) => one(status, 'code') + one(status, 'message'))[0] ?? '',
    node,
  };
}

function attributesOf(message: Message): Record<string, string> {
  const pairs = all(message, 'attributes').map((pair) => {
    const [value] = all(pair, 'value');
    return [one(pair, 'key'), value?.[0]?.[1]] as const;
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** Fields in their order. */
type Message = readonly (readonly [name: string, value: string | Message])[];

const all = (message: Message, name: string): Message[] =>
  message.flatMap(([each, value]) => (each === name && typeof value !== 'string' ? [value] : []));
const one = (message: Message, name: string): string => {
  const found = message.find(([each]) => each === name)?.[1];
  return typeof found === 'string' ? found : '';
};
const hex = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('hex');

/** The text format of protoc: `name: value`, or `name {` up to `}`. Takes the lines that it reads. */
function readText(lines: string[]): Message {
  const message: [string, string | Message][] = [];
  for (let line = lines.shift()?.trim(); line !== undefined && line !== '}'; line = lines.shift()?.trim()) {
    if (line.endsWith(' {')) message.push([line.slice(0, -2), readText(lines)]);
    else if (line !== '')
      message.push([line.slice(0, line.indexOf(':')), unescaped(line.slice(line.indexOf(':') + 2))]);
  }
  return message;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescaped(value: string): string {
  if (!value.startsWith('"')) return value;
  return value
    .slice(1, -1)
    .replace(/\\(?:([0-7]{3})|(.))/g, (_, octal: string | undefined, other: string) =>
      octal === undefined ? (ESCAPES[other] ?? other) : String.fromCharCode(parseInt(octal, 8)),
    );
}
