import { once } from 'node:events';
import { connect } from 'node:net';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { SHAPES, update } from '../harness/http-shapes.js';

/** Sends all bytes at once; resolves with what the node says until it closes the connection. */
async function say(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  await once(socket, 'connect');
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return text;
}

/** The interim answer to Expect is no answer. */
const statusesOf = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)).filter((status) => status !== 100);

describe('requests that look like one to some and like two to others', () => {
  let node: HttpNode;
  beforeAll(async () => (node = await startHttpNode()));
  afterAll(() => node.stop());

  it('are at least sixty', () => {
    expect(SHAPES.length).toBeGreaterThanOrEqual(60);
    expect(new Set(SHAPES.map(({ what }) => what)).size).toBe(SHAPES.length);
  });

  it.each(SHAPES.map((shape, index) => ({ ...shape, thing: `shape-${index}` })))(
    '$what: $answers, and nothing hidden is done',
    async ({ bytes, answers, thing }) => {
      const text = await say(node.port, bytes(thing, update(`${thing}-hidden`)));
      expect(statusesOf(text)).toEqual(answers);
      expect((await fetch(`${node.url}/things/${thing}-hidden/shadow`)).status).toBe(404);
      expect((await fetch(`${node.url}/health/live`)).status).toBe(200);
    },
  );

  it('the hidden request would be done if it stood alone', async () => {
    const last = `GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;
    expect(statusesOf(await say(node.port, update('alone') + last))).toEqual([200, 200]);
    expect((await fetch(`${node.url}/things/alone/shadow`)).status).toBe(200);
  });
});
