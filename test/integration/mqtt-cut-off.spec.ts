import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { encode, publish, subscribe } from '../conformance/wire.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { RawMqtt } from '../harness/raw-mqtt.js';
import { until } from '../harness/until.js';

/** All connections are read into one buffer, so what ends in the middle of a packet must touch nobody else's bytes. */

const SENDERS = 6;
const ROUNDS = 20;
/** Clients that are cut off in each round. */
const CUT_OFF = 4;

const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;
const OPEN_FILES = '/proc/self/fd';

/** Sockets of this process, which has both ends; null where the system does not tell. */
function openSockets(): number | null {
  if (!existsSync(OPEN_FILES)) return null;
  return readdirSync(OPEN_FILES).filter((fd) => linkOf(fd).startsWith('socket:')).length;
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`${OPEN_FILES}/${fd}`);
  } catch {
    // Closed since it was listed, as the one of the list itself.
    return '';
  }
}

/** An update whose every byte tells whose it is, of another length in each round. */
function updateOf(thing: string, letter: string, round: number): Buffer {
  const payload = JSON.stringify({ state: { reported: { text: letter.repeat(100 + 37 * round), round } } });
  return encode(publish({ version: 5, topic: shadow(thing, 'update'), payload, qos: 1, id: round + 1 }));
}

/** Resolves when the node, which is in this process, has read the bytes: those of others come between two pieces. */
async function write(raw: RawMqtt, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => raw.socket.write(bytes, () => resolve()));
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
}

class Sender {
  readonly thing: string;

  constructor(
    private readonly raw: RawMqtt,
    private readonly letter: string,
  ) {
    this.thing = `sender-${letter}`;
  }

  async subscribe(): Promise<void> {
    this.raw.send(subscribe(5, 1, [{ filter: shadow(this.thing, 'update/accepted'), options: 0 }]));
    await this.raw.next('suback');
  }

  /** In three pieces: within the topic, and within the payload. */
  async send(round: number): Promise<void> {
    const whole = updateOf(this.thing, this.letter, round);
    const cuts = [0, 5 + round, whole.length - 10 - round, whole.length];
    for (let i = 1; i < cuts.length; i++) await write(this.raw, whole.subarray(cuts[i - 1], cuts[i]));
  }

  accepted(): unknown[] {
    return this.raw.events.flatMap((each) => (each.kind === 'publish' ? [JSON.parse(each.payload)] : []));
  }

  expected(): unknown[] {
    return Array.from({ length: ROUNDS }, (_, round) =>
      expect.objectContaining({
        version: round + 1,
        state: { reported: { text: this.letter.repeat(100 + 37 * round), round } },
      }),
    );
  }

  get isOpen(): boolean {
    return !this.raw.closed;
  }
}

/** Sends a part of an update, and ends from its side, or resets. */
async function cutOff(node: MqttNode, clientId: string, isReset: boolean, length: number): Promise<void> {
  const raw = await RawMqtt.connect(node.port, { clientId });
  await write(raw, updateOf('cut-off', 'x', 10).subarray(0, length));
  if (isReset) raw.socket.resetAndDestroy();
  else raw.socket.end();
  await raw.ended();
}

it('a client that ends or resets in the middle of a packet disturbs nobody, and frees its descriptor', async () => {
  const node = await startMqttNode();
  try {
    const senders = await Promise.all(
      Array.from({ length: SENDERS }, async (_, i) => {
        const letter = String.fromCharCode(0x61 + i);
        return new Sender(await RawMqtt.connect(node.port, { clientId: `sender-${letter}` }), letter);
      }),
    );
    await Promise.all(senders.map((sender) => sender.subscribe()));
    const before = openSockets();
    for (let round = 0; round < ROUNDS; round++) {
      const cuts = Array.from({ length: CUT_OFF }, (_, i) => cutOff(node, `cut-${i}`, i % 2 === 0, 1 + 17 * round + i));
      await Promise.all([...senders.map((sender) => sender.send(round)), ...cuts]);
    }
    await until('every answer', () => senders.every((sender) => sender.accepted().length >= ROUNDS));
    for (const sender of senders) expect(sender.accepted()).toEqual(sender.expected());
    await until('the end of those that were cut off', () => node.broker.connections === SENDERS);
    expect(senders.every(({ isOpen }) => isOpen)).toBe(true);
    await until(() => `${before} sockets; there are ${openSockets()}`, () => openSockets() === before); // prettier-ignore
    const key = { tenant: 'default', thing: 'cut-off', name: null };
    expect(await node.store.get(key, { deadline: Infinity })).toBeNull();
  } finally {
    await node.stop();
  }
});
