import { startNode, type ReadyNode } from '../harness/node-process.js';
import { runPython } from '../harness/sdk-client.js';
import { cleanupAfterAll } from './steps/cleanup.js';

interface Message {
  readonly tail: string;
  readonly qos: number;
  readonly json: Record<string, unknown>;
}

interface Connack {
  readonly code: number;
  readonly session: number | boolean;
}

interface Result {
  readonly connack: Connack;
  readonly granted: readonly number[];
  readonly published: boolean;
  readonly update: readonly Message[];
  readonly get: readonly Message[];
  readonly 'first session': Connack;
  readonly 'second session': Connack;
  readonly kept: readonly Message[];
  readonly will: readonly Message[];
}

const cleanup = cleanupAfterAll();
let node: ReadyNode;

beforeAll(async () => {
  node = await startNode();
  cleanup(() => node.stop());
});

describe.each([4, 5] as const)('Eclipse Paho for Python, MQTT version %i', (version) => {
  let result: Result;
  beforeAll(async () => {
    const port = Number(new URL(node.mqttUrl).port);
    result = await runPython<Result>('paho-shadow.py', { host: '127.0.0.1', port, version, thing: `paho-${version}` });
  });

  it('connects, subscribes and publishes with QoS 1', () => {
    expect(result.connack.code).toBe(0);
    expect(result.granted).toEqual([1, 1, 1]);
    expect(result.published).toBe(true);
  });

  it('gets the request and the answers to an update, with QoS 1', () => {
    const tails = result.update.map(({ tail }) => tail).filter((tail) => tail !== 'update');
    expect(tails).toEqual(['update/delta', 'update/documents', 'update/accepted']);
    expect(result.update.map(({ tail }) => tail)).toContain('update');
    expect(result.update.every(({ qos }) => qos === 1)).toBe(true);
    expect(result.update.at(-1)?.json).toMatchObject({ version: 1, clientToken: 't-1' });
  });

  it('gets the document', () => {
    expect(result.get.at(-1)?.json).toMatchObject({ version: 1, clientToken: 't-2', state: { delta: { led: 'on' } } });
  });

  it('resumes its session and gets what was sent meanwhile', () => {
    expect(result['first session']).toMatchObject({ code: 0 });
    expect(Number(result['first session'].session)).toBe(0);
    expect(Number(result['second session'].session)).toBe(1);
    expect(result.kept.map(({ json }) => json['clientToken'])).toEqual(['t-3']);
  });

  it('leaves its will when it vanishes', () => {
    expect(result.will.at(-1)?.json).toMatchObject({ clientToken: 't-4', state: { reported: { connected: false } } });
  });
});
