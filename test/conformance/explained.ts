import { canMatch } from './allowed-filters.js';
import type { Difference } from './compare.js';
import type { About } from './conversation.js';

/** Why a difference from mosquitto is right: a clause of the standard, or a line of docs/topics.md. */
export interface Explanation {
  readonly name: string;
  readonly clause: string;
  readonly explains: (difference: Difference, about: About) => boolean;
}

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const NOT_AUTHORIZED = 0x87;
const TOPIC_NAME_INVALID = 0x90;
const PACKET_IDENTIFIER_IN_USE = 0x91;
const TOPIC_ALIAS_INVALID = 0x94;
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

export const EXPLANATIONS: readonly Explanation[] = [
  {
    name: 'a filter that no shadow topic matches fails, and QoS 2 is granted as QoS 1, in the order of the filters',
    clause: 'docs/topics.md, Subscribing; MQTT-3.8.4-7 and 3.9.3: the granted QoS may be lower',
    explains: explainsSuback,
  },
  {
    name: 'a topic that is no request ends the connection of an MQTT 3.1.1 client',
    clause: 'docs/topics.md, Publishing; MQTT 3.1.1, 3.3.5-2: the server closes, or acknowledges what it dropped',
    explains: ({ ours }, { publish, version, broken }) =>
      broken === null &&
      version === 4 &&
      publish !== undefined &&
      !topicIsRequest(publish.topic) &&
      only(ours, 'closed'),
  },
  {
    name: 'a topic that is no request is refused in the PUBACK of an MQTT 5 client',
    clause: 'docs/topics.md, Publishing; MQTT 5, 3.4.2.1: 0x87 not authorized',
    explains: ({ ours }, { publish, version, broken }) =>
      broken === null && version === 5 && publish?.qos === 1 && !topicIsRequest(publish.topic) &&
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
    clause: 'docs/topics.md, Publishing; MQTT 5, 3.2.2-11: Maximum QoS 1, so 0x9B',
    explains: ({ ours }, about) => about.publish?.qos === 2 && endedFor(ours, about, [QOS_NOT_SUPPORTED, ...(about.broken === null ? [] : FOR_BROKEN)]), // prettier-ignore
  },
  {
    name: 'a broken packet ends the connection with a reason at one of them, or with another one',
    clause: 'MQTT 5, 4.13.1: the server must close, and should say Malformed Packet or Protocol Error before',
    explains: ({ ours, theirs, isOwn }, about) =>
      isOwn && about.broken !== null && hasEnded(theirs) && endedFor(ours, about, FOR_BROKEN),
  },
  {
    name: 'the door tells who was taken over why, and mosquitto does not',
    clause: 'MQTT-3.1.4-3: DISCONNECT 0x8E to the connection that was there before',
    explains: ({ ours, theirs, isOwn, step }) => step?.do === 'open' && !isOwn && only(ours, 'disconnect 142', 'closed') && only(theirs, 'closed'), // prettier-ignore
  },
  {
    name: 'mosquitto answers a keep-alive of 0 with one of its own',
    clause: 'MQTT 5, 3.2.2.3.14: Server Keep Alive is up to the server',
    explains: ({ ours, theirs, step }) => step?.do === 'open' && plain(theirs).join().replace(' property 19', '') === plain(ours).join(), // prettier-ignore
  },
];

export function explain(difference: Difference): Explanation | null {
  const about = difference.step?.about ?? { version: 4, broken: null };
  return EXPLANATIONS.find(({ explains }) => explains(difference, about)) ?? null;
}
