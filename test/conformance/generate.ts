import { Random } from '../faults/plans/random.js';
import type { About, Conversation, Expected, Step } from './conversation.js';
import { mutate } from './mutate.js';
import { acknowledge, byte, connect, disconnect, encode, four, PINGREQ, PROPERTY, publish, subscribe, text, two, unsubscribe, variable, type Filter, type Property, type Shape, type Version, type Will } from './wire.js'; // prettier-ignore

/** The payload of what a client may not publish: none of the service's own messages looks like it. */
export const FORGED = 'forged';

/** A member of the document of a will, and of no other. */
export const WILL = 'will';

interface Connection {
  readonly on: number;
  readonly version: Version;
  readonly clientId: string;
  open: boolean;
  nextId: number;
}

interface Sent {
  readonly label: string;
  readonly about?: Partial<About>;
  /** Share of packets that are sent broken. */
  readonly breaks?: number;
}

/** Writes one conversation; everything that it chooses comes from its own random stream. */
class Author {
  readonly steps: Step[] = [];
  readonly #connections: Connection[] = [];
  readonly #shadow: string;
  #marks = 0;

  constructor(
    private readonly random: Random,
    private readonly thing: string,
  ) {
    this.#shadow = `$aws/things/${thing}/shadow`;
  }

  write(): void {
    this.#open(false);
    if (this.#chance(0.06)) return this.#keepAlive();
    for (let left = this.random.int(3, 10); left > 0; left--) {
      const alive = this.#connections.filter(({ open }) => open);
      if (alive.length === 0 || (alive.length < 4 && this.#chance(0.2))) this.#open(this.#chance(0.12));
      else this.#say(this.random.pick(alive));
    }
  }

  #chance(share: number): boolean {
    return this.random.next() < share;
  }

  #push(connection: Connection, sent: Sent, shape: Shape, expected: readonly Expected[] = []): void {
    const breaks = this.#chance(sent.breaks ?? 0.08);
    const mutant = breaks ? mutate(shape, this.random) : null;
    if (mutant) connection.open = false;
    const broken = mutant?.what ?? null;
    this.steps.push({
      do: 'send',
      on: connection.on,
      label: broken === null ? sent.label : `${sent.label}: ${broken}`,
      about: { ...sent.about, version: connection.version, broken },
      bytes: mutant?.bytes ?? encode(shape),
      expected: mutant ? [] : expected,
    });
  }

  #open(broken: boolean, keepAlive?: number): Connection {
    const { random } = this;
    const version = random.pick([4, 5] as const);
    const clientId = this.#chance(0.06) ? '' : `${this.thing}-${random.pick(['a', 'a', 'b', 'c'])}`;
    // An empty identifier with a kept session is refused in MQTT 3.1.1 (MQTT-3.1.3-8).
    const clean = this.#chance(0.5);
    const will = this.#chance(0.3) ? this.#will(version) : undefined;
    const user = this.#chance(0.15) ? 'somebody?SDK=Test' : undefined;
    const password = user !== undefined && this.#chance(0.5) ? 'secret' : undefined;
    const shape = connect({
      version,
      clientId,
      clean,
      keepAlive: keepAlive ?? random.pick([0, 30, 60, 1200]),
      properties: version === 5 ? this.#connectProperties() : [],
      ...(will && { will }),
      ...(user !== undefined && { user }),
      ...(password !== undefined && { password }),
    });
    const mutant = broken ? mutate(shape, random) : null;
    const on = this.#connections.length;
    const refused = mutant !== null || (clientId === '' && version === 4 && !clean);
    const ends = clientId === '' ? [] : this.#connections.filter((one) => one.clientId === clientId);
    if (!refused) for (const one of ends) one.open = false;
    const connection = { on, version, clientId, open: !refused, nextId: 1 };
    this.#connections.push(connection);
    const label = `connect ${version} ${clientId || '(no id)'}${clean ? ' clean' : ''}${will ? ` will ${will.topic}` : ''}`;
    this.steps.push({
      do: 'open',
      on,
      label: mutant ? `${label}: ${mutant.what}` : label,
      about: { version, broken: mutant?.what ?? null },
      version,
      bytes: mutant?.bytes ?? encode(shape),
      acknowledges: this.#chance(0.85),
      ends: ends.map((one) => one.on),
    });
    return connection;
  }

  #connectProperties(): Property[] {
    const some: Property[] = [];
    if (this.#chance(0.5))
      some.push({ id: PROPERTY.sessionExpiry, bytes: four(this.random.pick([0, 60, 600, 0xffffffff])) });
    if (this.#chance(0.2)) some.push({ id: PROPERTY.receiveMaximum, bytes: two(this.random.pick([1, 2, 20, 65535])) });
    if (this.#chance(0.1)) some.push({ id: PROPERTY.maximumPacketSize, bytes: four(this.random.pick([200, 100_000])) });
    if (this.#chance(0.1)) some.push({ id: PROPERTY.topicAliasMaximum, bytes: two(this.random.pick([0, 10])) });
    if (this.#chance(0.1)) some.push({ id: PROPERTY.requestProblemInformation, bytes: byte(this.random.int(0, 1)) });
    if (this.#chance(0.1)) some.push({ id: PROPERTY.userProperty, bytes: Buffer.concat([text('a'), text('b')]) });
    return some;
  }

  #will(version: Version): Will {
    const properties = version === 5 && this.#chance(0.3) ? [{ id: PROPERTY.willDelay, bytes: four(0) }] : [];
    return {
      topic: this.random.pick([
        `${this.#shadow}/update`,
        `${this.#shadow}/get`,
        `${this.#shadow}/update`,
        `other/${this.thing}`,
      ]),
      payload: JSON.stringify({ state: { reported: { [WILL]: ++this.#marks } } }),
      qos: this.random.int(0, 1),
      properties,
    };
  }

  #say(connection: Connection): void {
    const { random } = this;
    const roll = random.next();
    if (roll < 0.3) this.#publish(connection);
    else if (roll < 0.62) this.#subscribe(connection);
    else if (roll < 0.72) this.#unsubscribe(connection);
    else if (roll < 0.76) this.#push(connection, { label: 'ping' }, PINGREQ);
    else if (roll < 0.82) this.#stray(connection);
    else this.#leave(connection);
  }

  #publish(connection: Connection): void {
    const { random } = this;
    const { version } = connection;
    const qos = this.#chance(0.05) ? 2 : random.int(0, 1);
    const forged = this.#chance(0.1);
    const topic = forged
      ? random.pick([`${this.#shadow}/update/accepted`, `${this.#shadow}/other`, `sensors/${this.thing}`])
      : this.#requestTopic();
    const id = connection.nextId++;
    const retain = this.#chance(0.04);
    const properties = version === 5 ? this.#publishProperties() : [];
    const shape = publish({ version, topic, payload: forged ? FORGED : this.#document(), qos, id, retain, properties });
    const traits = [
      `publish ${topic} qos ${qos}`,
      ...(retain ? ['retain'] : []),
      ...properties.map((one) => `property ${one.id}`),
    ];
    if (qos === 2) connection.open = this.#chance(0.3);
    const about = { publish: { topic, qos, retain, properties: properties.map((one) => one.id) } };
    this.#push(
      connection,
      { label: traits.join(' '), about },
      shape,
      qos === 1 && !forged ? [{ kind: 'puback', id }] : [],
    );
  }

  #publishProperties(): Property[] {
    const some: Property[] = [];
    if (this.#chance(0.1)) some.push({ id: PROPERTY.payloadFormat, bytes: byte(1) });
    if (this.#chance(0.1)) some.push({ id: PROPERTY.messageExpiry, bytes: four(600) });
    if (this.#chance(0.1)) some.push({ id: PROPERTY.contentType, bytes: text('application/json') });
    if (this.#chance(0.05)) some.push({ id: PROPERTY.responseTopic, bytes: text('a/b') });
    if (this.#chance(0.05)) some.push({ id: PROPERTY.correlationData, bytes: text('c') });
    if (this.#chance(0.05)) some.push({ id: PROPERTY.topicAlias, bytes: two(this.random.pick([1, 2, 11, 65535])) });
    return some;
  }

  #requestTopic(): string {
    const name = this.#chance(0.3) ? '/name/n1' : '';
    return `${this.#shadow}${name}/${this.random.pick(['update', 'update', 'get', 'delete'])}`;
  }

  #document(): string {
    return JSON.stringify({ state: { reported: { mark: ++this.#marks } } });
  }

  #filter(): string {
    const shadow = this.#shadow;
    const roll = this.random.next();
    if (roll < 0.5) return this.#requestTopic();
    if (roll < 0.85) return this.random.pick([`${shadow}/+`, `${shadow}/#`, `${shadow}/update/#`, `${shadow}/name/+/update`, `${shadow}/name/n1/#`, `$aws/things/${this.thing}/#`, `$aws/things/+/shadow/update`, `${shadow}/update/accepted`]); // prettier-ignore
    return this.random.pick([
      '#',
      '+/x',
      `sensors/${this.thing}`,
      '$SYS/none',
      `$share/g/${shadow}/update`,
      `${shadow}/other`,
      `$aws/events/${this.thing}`,
    ]);
  }

  #subscribe(connection: Connection): void {
    const { random } = this;
    const { version } = connection;
    const filters: Filter[] = Array.from({ length: random.pick([1, 1, 1, 2, 3, 8]) }, () => {
      const qos = this.#chance(0.1) ? 2 : random.int(0, 1);
      // Bits of MQTT 5: No Local 4, Retain As Published 8, Retain Handling 16 and 32.
      const more = version === 5 && this.#chance(0.2) ? random.pick([4, 8, 16, 32]) : 0;
      return { filter: this.#filter(), options: qos | more };
    });
    const id = connection.nextId++;
    const withIdentifier = version === 5 && this.#chance(0.06);
    const properties = withIdentifier
      ? [{ id: PROPERTY.subscriptionIdentifier, bytes: variable(random.int(1, 300)) }]
      : [];
    const names = filters.map(({ filter, options }) => `${filter} (${options})`).join(', ');
    const label = `subscribe${withIdentifier ? ' with identifier' : ''} ${names}`;
    this.#push(connection, { label, about: { filters } }, subscribe(version, id, filters, properties), [
      { kind: 'suback', id },
    ]);
  }

  #unsubscribe(connection: Connection): void {
    const filters = Array.from({ length: this.random.pick([1, 1, 2]) }, () => this.#filter());
    const id = connection.nextId++;
    const shape = unsubscribe(connection.version, id, filters);
    this.#push(connection, { label: `unsubscribe ${filters.join(', ')}`, about: { unsubscribed: filters } }, shape, [
      { kind: 'unsuback', id },
    ]);
  }

  /** Packets that are valid as such, at a moment or in a direction that they have no place in. */
  #stray(connection: Connection): void {
    const { version } = connection;
    const some: readonly (readonly [string, Shape])[] = [
      ['stray puback', acknowledge(4, 999)],
      ['stray pubrec', acknowledge(5, 999)],
      ['stray pubrel', acknowledge(6, 999)],
      ['stray pubcomp', acknowledge(7, 999)],
      ['second connect', connect({ version, clientId: connection.clientId, clean: false })],
      ['connack', { first: 0x20, fields: [{ name: 'all', bytes: Buffer.from(version === 5 ? [0, 0, 0] : [0, 0]) }] }],
      [
        'suback',
        { first: 0x90, fields: [{ name: 'all', bytes: Buffer.from(version === 5 ? [0, 1, 0, 0] : [0, 1, 0]) }] },
      ],
      [
        'unsuback',
        { first: 0xb0, fields: [{ name: 'all', bytes: Buffer.from(version === 5 ? [0, 1, 0, 0] : [0, 1]) }] },
      ],
      ['pingresp', { first: 0xd0, fields: [] }],
      ['type 0', { first: 0x00, fields: [] }],
      ['type 15', { first: 0xf0, fields: [] }],
    ];
    const [label, shape] = this.random.pick(some);
    if (!label.startsWith('stray')) connection.open = false;
    this.#push(connection, { label, breaks: 0 }, shape);
  }

  #leave(connection: Connection): void {
    const { on, version } = connection;
    connection.open = false;
    const roll = this.random.next();
    const about = { version, broken: null };
    if (roll < 0.35) this.steps.push({ do: 'fin', on, label: 'fin', about });
    else if (roll < 0.55) this.steps.push({ do: 'reset', on, label: 'reset', about });
    else {
      const reason = version === 5 && this.#chance(0.5) ? this.random.pick([0, 4, 0x80]) : undefined;
      const label = `disconnect${reason === undefined ? '' : ` ${reason}`}`;
      this.#push(connection, { label, breaks: 0.15 }, disconnect(version, reason));
    }
  }

  /** A client with a keep-alive of one second goes silent; another sees its will. */
  #keepAlive(): void {
    const silent = this.#open(false, 1);
    if (silent.clientId === this.#connections[0]?.clientId) return;
    const observer = this.#connections[0];
    if (observer?.open && silent.open) {
      this.#subscribe(observer);
      this.steps.push({
        do: 'stay silent',
        on: silent.on,
        label: 'stay silent',
        about: { version: silent.version, broken: null },
      });
    }
  }
}

/**
 * The conversation of this index. What happens in it depends on nothing but seed and index.
 * @param run goes into every name: sessions of an earlier run must not be met
 */
export function generate(seed: number, index: number, run: string): Conversation {
  const thing = `${run}-${index}`;
  const author = new Author(new Random(seed).fork(`conversation ${index}`), thing);
  author.write();
  return { index, steps: author.steps, thing };
}
