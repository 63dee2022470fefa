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

describe('the trace of a PUBLISH', () => {
  const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const user = (name: string, value: string): Buffer =>
    Buffer.concat([Buffer.from([0x26]), sized(Buffer.from(name)), sized(Buffer.from(value))]);

  it.each([
    ['none', [user('other', 'x')], null],
    ['both', [user('traceparent', PARENT), user('tracestate', 'a=1')], { traceparent: PARENT, tracestate: 'a=1' }],
    ['states that are joined', [user('tracestate', 'a=1'), user('tracestate', 'b=2')], { tracestate: 'a=1,b=2' }],
    ['no parent that is given twice', [user('traceparent', 'x'), user('traceparent', 'x')], { traceparent: '' }],
    [
      'beside another property',
      [Buffer.from([0x01, 1]), user('traceparent', PARENT)],
      { payloadFormatIndicator: 1, traceparent: PARENT },
    ],
  ])('is read from its user properties: %s', (_, parts, properties) => {
    const fields = new Fields();
    const all = Buffer.concat(parts);
    const packet = Buffer.concat([sized(Buffer.from('t')), Buffer.from([all.length]), all]);
    fields.open(packet, 0, packet.length);
    const publish = new IncomingPublish();
    publish.read(fields, 0, 5, 0);
    expect(publish.properties).toEqual(properties);
  });
});
