import { sized } from '../../../../test/harness/mqtt-bytes.js';
import { Fields } from './fields.js';
import { IncomingPublish } from './publish.js';

function readTopic(publish: IncomingPublish, topic: string): void {
  const fields = new Fields();
  const packet = sized(Buffer.from(topic));
  fields.open(packet, 0, packet.length);
  publish.read(fields, 0, 4, 0);
}

it('keeps no topic that is longer than any of a shadow: each connection would keep one of 64 KiB', () => {
  const publish = new IncomingPublish();
  for (const length of [256, 257, 65_535]) {
    const topic = 'x'.repeat(length);
    readTopic(publish, topic);
    expect(publish.topic).toBe(topic);
    publish.forget();
    expect(publish.topic).toBe(length > 256 ? '' : topic);
    readTopic(publish, 'short');
    expect(publish.topic).toBe('short');
  }
});
