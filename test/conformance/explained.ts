import { canMatch } from './allowed-filters.js';
import type { Difference } from './compare.js';
import type { About, Step } from './conversation.js';
import type { Explanation } from './explanation.js';
import { MESSAGE_EXPLANATIONS } from './explained-messages.js';
import { PROPERTY } from './wire.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const NOT_AUTHORIZED = 0x87;
const TOPIC_NAME_INVALID = 0x90;
const PACKET_IDENTIFIER_IN_USE = 0x91;
const TOPIC_ALIAS_INVALID = 0x94;
const KEEP_ALIVE_TIMEOUT = 0x8d;
const RETAIN_NOT_SUPPORTED = 0x9a;
const QOS_NOT_SUPPORTED = 0x9b;
const SHARED_NOT_SUPPORTED = 0x9e;

/** Reason codes of a DISCONNECT for a packet that breaks the standard (MQTT 5, 4.13.1). */
const FOR_BROKEN = [MALFORMED, PROTOCOL_ERROR, TOPIC_NAME_INVALID, PACKET_IDENTIFIER_IN_USE, TOPIC_ALIAS_INVALID, 0x8f, 0x99]; // prettier-ignore

const last = (events: readonly string[]): string | undefined => events.at(-1);
const hasEnded = (events: readonly string[]): boolean => last(events) === 'closed';
/** Without answers to PINGREQs, which a server may or may not send before it ends a connection. */
const plain = (events: readonly string[]): string[] => events.filter((one) => one !== 'pingresp');
const disconnectCode = (events: readonly string[]): number | null => {
  const found = events.find((one) => one.startsWith('disconnect '));
  return found === undefined ? null : Number(found.slice('disconnect '.length));
};
const only = (events: readonly string[], ...expected: readonly string[]): boolean =>
  plain(events).join() === expected.join();
const topicIsRequest = (topic: string): boolean =>
  /^\$aws\/things\/[^/]+\/shadow\/(name\/[^/]+\/)?(get|update|delete)$/.test(topic);

/** Whether the door ended the connection as its version demands: with a reason in MQTT 5, without one in MQTT 3.1.1. */
function endedFor(ours: readonly string[], about: About, codes: readonly number[]): boolean {
  if (!hasEnded(ours)) return false;
  const code = disconnectCode(ours);
  return about.version === 4 ? code === null : code !== null && codes.includes(code);
}

function subackCodes(events: readonly string[]): number[] | null {
  const [line, ...more] = plain(events);
  const codes = /^suback \d+: (.*)$/.exec(line ?? '')?.[1];
  return codes === undefined || more.length > 0 ? null : codes.split(' ').map(Number);
}

function explainsSuback({ ours, theirs }: Difference, { filters, version }: About): boolean {
  const [mine, other] = [subackCodes(ours), subackCodes(theirs)];
  if (!filters || !mine || !other || mine.length !== filters.length || other.length !== filters.length) return false;
  return filters.every(({ filter, options }, at) => {
    if (!canMatch(filter)) {
      const refusals =
        version === 4 ? [0x80] : filter.startsWith('$share/') ? [SHARED_NOT_SUPPORTED] : [NOT_AUTHORIZED];
      return refusals.includes(mine[at] as number);
    }
    return mine[at] === Math.min(1, options & 3);
  });
}

const unsubackCodes = (events: readonly string[]): string[] =>
  /^unsuback \d+: (.*)$/.exec(plain(events).join())?.[1]?.split(' ') ?? [];

/** Whether each filter has the same code at both, or 17, No subscription existed, at ours alone, for a reason. */
function explainsCodes(
  ours: readonly string[],
  theirs: readonly string[],
  filters: readonly string[],
  hasReason: (filter: string, their: string) => boolean,
): boolean {
  const [mine, other] = [unsubackCodes(ours), unsubackCodes(theirs)];
  if (filters.length === 0 || mine.length !== filters.length || other.length !== filters.length) return false;
  return filters.every((filter, at) => mine[at] === other[at] || (mine[at] === '17' && hasReason(filter, other[at]!)));
}

/** A CONNECT that is refused: MQTT 3.1.1 knows few reasons, and most of them are not for broken packets. */
function refusedConnect(ours: readonly string[], about: About): boolean {
  if (!hasEnded(ours)) return false;
  const [first, ...more] = plain(ours);
  if (first === 'closed') return true;
  const code = Number(/^connack (\d+)$/.exec(first ?? '')?.[1] ?? Number.NaN);
  return more.length === 1 && (about.version === 4 ? code >= 1 && code <= 5 : code >= 0x80 || code === 1);
}

const isBroken = ({ label }: Step, { broken }: About): boolean => broken !== null || OUT_OF_PLACE.includes(label);

/** Packets that only a server sends, and moments that a packet has no place in. */
const OUT_OF_PLACE = ['connack', 'suback', 'unsuback', 'pingresp', 'second connect', 'type 0', 'type 15'];

/** What mosquitto 2.0.11 lets through, and the rule that it breaks. */
const LENIENT: readonly (readonly [RegExp, string])[] = [
  [/^ping: (header flags|\d bytes too many)/, 'MQTT-3.12.1-1: a PINGREQ has no body; MQTT-2.1.3-1: nor flags'],
  [/^disconnect.*: (header flags|\d bytes too many)/, 'MQTT-3.14.1-1: the flags of DISCONNECT are 0'],
  [/: a length with a byte too many$/, 'MQTT-1.5.5-1: a length has as few bytes as it needs'],
  [/: DUP with QoS 0$/, 'MQTT-3.3.1-2: DUP is 0 for QoS 0'],
  [/: properties: Subscription Identifier/, 'MQTT-3.3.4-6: a client sends no Subscription Identifier in PUBLISH'],
  [
    /: properties: Authentication Data alone$/,
    'MQTT 5, 3.1.2.11.10: Authentication Data without a method is a Protocol Error',
  ],
  [/: (will )?properties: Payload Format Indicator 2$/, 'MQTT 5, 3.3.2.3.2: the indicator is 0 or 1'],
  [/: (will )?properties: Response Topic with a wildcard$/, 'MQTT-3.3.2-14: a Response Topic has no wildcards'],
  [/: filter '\$share\//, 'MQTT-4.8.2-1 and 4.8.2-2: the share name and the filter behind it are not empty'],
];

/**
 * Whether a publish has a topic that is none of a request. Without its topic, a packet has one that is made of the bytes
 * behind it: they may be a control character, which a server may refuse (MQTT 5, 1.5.4). A broken one that mosquitto
 * acknowledges is a good one with other identifiers, properties or bytes.
 */
function isNoRequest(theirs: readonly string[], { publish, broken }: About): boolean {
  if (publish === undefined || broken === 'no topic') return publish !== undefined;
  const isTaken = broken === null || /^puback \d+ (?:0|16)$/.test(plain(theirs)[0] ?? '');
  return isTaken && !topicIsRequest(publish.topic);
}

/** Whether what differs is the end of a subscription that only mosquitto had, from a SUBSCRIBE with a broken filter. */
function endsHalfSubscribed({ conversation, ours, theirs }: Difference, { unsubscribed }: About): boolean {
  const broken = conversation.steps.filter(
    ({ label, about }) => label.startsWith('subscribe') && about.broken !== null,
  );
  const half = new Set(broken.flatMap(({ about }) => about.filters ?? []).map(({ filter }) => filter));
  return explainsCodes(ours, theirs, unsubscribed ?? [], (filter, their) => their === '0' && half.has(filter));
}

export const EXPLANATIONS: readonly Explanation[] = [
  {
    name: 'a filter that no shadow topic matches fails, and QoS 2 is granted as QoS 1, in the order of the filters',
    clause: 'docs/topics.md, Subscribing; MQTT-3.8.4-7 and 3.9.3: the granted QoS may be lower',
    explains: explainsSuback,
  },
  {
    name: 'there was no subscription to a filter that had failed',
    clause: 'docs/topics.md, Subscribing; MQTT 5, 3.11.3: 0x11 no subscription existed',
    explains: ({ ours, theirs }, { unsubscribed }) =>
      explainsCodes(ours, theirs, unsubscribed ?? [], (filter) => !canMatch(filter)),
  },
  {
    name: 'mosquitto has carried out a part of the SUBSCRIBE that it ended the connection for',
    clause: 'MQTT 5, 4.13.1: a Malformed Packet ends the connection',
    explains: endsHalfSubscribed,
  },
  {
    name: 'No Local on a shared subscription ends the connection',
    clause: 'MQTT-3.8.3-4: it is a Protocol Error',
    explains: ({ ours }, about) =>
      (about.filters ?? []).some(({ filter, options }) => filter.startsWith('$share/') && (options & 4) !== 0) &&
      about.version === 5 && endedFor(ours, about, [PROTOCOL_ERROR]), // prettier-ignore
  },
  {
    name: 'a topic that is no request ends the connection of an MQTT 3.1.1 client',
    clause: 'docs/topics.md, Publishing; MQTT 3.1.1, 3.3.5-2: the server closes, or acknowledges what it dropped',
    explains: ({ ours, theirs }, about) => about.version === 4 && isNoRequest(theirs, about) && only(ours, 'closed'),
  },
  {
    name: 'a topic that is no request is refused in the PUBACK of an MQTT 5 client',
    clause: 'docs/topics.md, Publishing; MQTT 5, 3.4.2.1: 0x87 not authorized',
    explains: ({ ours, theirs }, about) =>
      about.version === 5 && about.publish?.qos === 1 && isNoRequest(theirs, about) &&
      plain(ours).length === 1 && /^puback \d+ 135$/.test(plain(ours)[0] ?? ''), // prettier-ignore
  },
  {
    name: 'mosquitto says that nobody subscribes',
    clause: 'MQTT 5, 3.4.2.1: 0x10 may be used instead of 0x00',
    explains: ({ ours, theirs }) =>
      plain(ours).join() ===
      plain(theirs)
        .join()
        .replace(/^(puback \d+) 16$/, '$1 0'),
  },
  {
    name: 'QoS 2 ends the connection',
    clause: 'docs/topics.md, Publishing; MQTT-3.2.2-11: CONNACK says Maximum QoS 1, so 0x9B',
    explains: ({ ours }, about) =>
      about.publish?.qos === 2 && endedFor(ours, about, about.broken === null ? [QOS_NOT_SUPPORTED, TOPIC_ALIAS_INVALID, RETAIN_NOT_SUPPORTED] : [QOS_NOT_SUPPORTED, ...FOR_BROKEN]), // prettier-ignore
  },
  {
    name: 'a Topic Alias ends the connection',
    clause:
      'docs/topics.md, Slow and broken clients; MQTT-3.2.2-18: without Topic Alias Maximum there are none, so 0x94',
    explains: ({ ours }, about) =>
      about.publish?.properties.includes(PROPERTY.topicAlias) === true && endedFor(ours, about, [TOPIC_ALIAS_INVALID]),
  },
  {
    name: 'a broken packet ends the connection with a reason at one of them, or with another one',
    clause: 'MQTT 5, 4.13.1: the server must close, and should say Malformed Packet or Protocol Error before',
    explains: ({ ours, theirs, isOwn, step }, about) =>
      isOwn && step?.do === 'send' && isBroken(step, about) && hasEnded(theirs) && endedFor(ours, about, FOR_BROKEN),
  },
  {
    name: 'a broken CONNECT is refused in a CONNACK, or not answered at all',
    clause:
      'MQTT-3.1.4-2: the server may send a CONNACK with a reason of 0x80 or more before it closes; 3.1.2-1, 3.1.2-2',
    explains: ({ ours, theirs, isOwn, step }, about) =>
      isOwn && step?.do === 'open' && about.broken !== null && hasEnded(theirs) && refusedConnect(ours, about),
  },
  {
    name: 'mosquitto lets a broken packet through',
    clause: LENIENT.map(([, clause]) => clause).join('; '),
    explains: ({ ours, isOwn, step }, about) =>
      isOwn && about.broken !== null && LENIENT.some(([label]) => label.test(step?.label ?? '')) &&
      (step?.do === 'open' ? refusedConnect(ours, about) : endedFor(ours, about, FOR_BROKEN)), // prettier-ignore
  },
  {
    name: 'a broken shared subscription of MQTT 3.1.1 is just a filter that no shadow topic matches',
    clause: 'docs/topics.md, Subscribing; MQTT 3.1.1 knows no shared subscriptions',
    explains: ({ ours, step }, { version }) =>
      version === 4 && / filter '\$share\//.test(step?.label ?? '') && subackCodes(ours)?.includes(0x80) === true,
  },
  {
    name: 'mosquitto ignores packets that only a server sends',
    clause: 'MQTT 5, 4.13.1 and 2.1.2: their direction is from server to client, so they are a Protocol Error',
    explains: ({ ours, isOwn, step }, about) =>
      isOwn && OUT_OF_PLACE.some((label) => step?.label === label) && endedFor(ours, about, FOR_BROKEN),
  },
  {
    name: 'an acknowledgement of nothing is answered with a reason',
    clause: 'MQTT 5, 3.6.2.1 and 3.7.2.1: 0x92 Packet Identifier not found',
    explains: ({ ours, theirs, step }) =>
      step?.label.startsWith('stray ') === true && plain(ours).join() === plain(theirs).join().replace(/ 0$/, ' 146'),
  },
  {
    name: 'the door says that a keep-alive has run out, and mosquitto does not',
    clause: 'MQTT-3.1.2-24 and MQTT 5, 3.14.2.1: 0x8D',
    explains: ({ ours, theirs, step }, about) =>
      step?.do === 'stay silent' && endedFor(ours, about, [KEEP_ALIVE_TIMEOUT]) && only(theirs, 'closed'),
  },
  {
    name: 'a CONNECT that only mosquitto lets through takes over a connection there',
    clause: 'the rule that the CONNECT breaks, above',
    explains: ({ ours, theirs, isOwn, step }, about) =>
      step?.do === 'open' && !isOwn && about.broken !== null && LENIENT.some(([label]) => label.test(step.label)) &&
      ours.length === 0 && hasEnded(theirs), // prettier-ignore
  },
  {
    name: 'the door tells who was taken over why, and mosquitto does not',
    clause: 'MQTT-3.1.4-3: DISCONNECT 0x8E to the connection that was there before',
    explains: ({ ours, theirs, isOwn, step }) => step?.do === 'open' && !isOwn && only(ours, 'disconnect 142', 'closed') && only(theirs, 'closed'), // prettier-ignore
  },
  {
    name: 'mosquitto forgets the session of a connection that it ended for a second CONNECT',
    clause: 'MQTT 3.1.1, 3.1.2.4, and MQTT 5, 4.1: a session outlives its connection, however that ends',
    explains: ({ conversation, ours, theirs, step }) =>
      step?.do === 'open' &&
      conversation.steps.some(({ label }) => label === 'second connect') &&
      plain(ours).join() === `${plain(theirs).join().replace(' property 19', '')} session`,
  },
  {
    name: 'mosquitto answers a keep-alive of 0 with one of its own',
    clause: 'MQTT 5, 3.2.2.3.14: Server Keep Alive is up to the server',
    explains: ({ ours, theirs, step }) => step?.do === 'open' && plain(theirs).join().replace(' property 19', '') === plain(ours).join(), // prettier-ignore
  },
  ...MESSAGE_EXPLANATIONS,
];

export function explain(difference: Difference): Explanation | null {
  const about = difference.step?.about ?? { version: 4, broken: null };
  return EXPLANATIONS.find(({ explains }) => explains(difference, about)) ?? null;
}
