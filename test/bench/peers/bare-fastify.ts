import fastify from 'fastify';
import { freePort } from '../../harness/ports.js';

/** What HTTP costs by itself: Fastify answers a shadow that it holds, serialised anew for each request. */
const SHADOW = {
  state: { reported: { count: 1, temperature: 21.5, humidity: 41, door: 'closed', online: true } },
  metadata: {
    reported: Object.fromEntries(
      ['count', 'temperature', 'humidity', 'door', 'online'].map((name) => [name, { timestamp: 1_700_000_000 }]),
    ),
  },
  version: 1,
  timestamp: 1_700_000_000,
};

const app = fastify();
app.get('/things/:thing/shadow', () => SHADOW);
const port = await freePort();
await app.listen({ port, host: '127.0.0.1' });
process.stdout.write(`${port}\n`);
