import { RecordFault } from '../directory/records/record-reader.js';
import { checkHosts } from './server-address.js';

const ALLOWED = ['Nats.example.com', 'redis.example.com:6379', '[::1]:4222', '127.0.0.1'];

it.each([
  ['nats://nats.example.com:4222', true],
  ['nats://nats.example.com:1', true],
  ['redis://REDIS.example.com:6379', true],
  ['redis://redis.example.com:06379', true],
  ['redis://redis.example.com:6380', false],
  ['redis://redis.example.com:63790', false],
  ['nats://[::1]:4222', true],
  ['nats://[::1]:4223', false],
  ['nats://127.0.0.1:80', true],
  ['nats://other.example.com:6379', false],
])('a sink may connect to %s: %s', (url, may) => {
  const check = (): void => checkHosts([url], ALLOWED);
  if (may) expect(check).not.toThrow();
  else expect(check).toThrow(RecordFault);
});
