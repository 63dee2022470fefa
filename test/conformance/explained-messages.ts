import { matchesByRules } from '../harness/filter-model.js';
import type { Difference } from './compare.js';
import type { Explanation } from './explanation.js';
import { FORGED, WILL } from './generate.js';
import type { Filter } from './wire.js';

/** A message as `showEvent` writes it. */
interface Line {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly payload: string;
}

function lines(events: readonly string[]): Line[] {
  return events.flatMap((event) => {
    const found = /^publish (\S+) qos (\d)( dup)?( retain)? (.*)$/s.exec(event);
    if (!found) return [];
    const [, topic = '', qos = '', , retain, payload = ''] = found;
    return [{ topic, qos: Number(qos), retain: retain !== undefined, payload }];
  });
}

const bare = ({ topic, payload }: Line): string => `${topic} ${payload}`;
const isWill = ({ payload }: Line): boolean => payload.includes(`"${WILL}"`);
const unique = (some: readonly string[]): string[] => [...new Set(some)].sort();

/** Messages that both must have passed on: no retained ones, no forged ones, and no wills. */
const common = (events: readonly string[]): Line[] => lines(events).filter((one) => !one.retain && one.payload !== FORGED && !isWill(one)); // prettier-ignore

/** The filter of a shared subscription stands behind its share name. */
const withoutShare = (filter: string): string => filter.replace(/^\$share\/[^/]*\//, '');

/**
 * Whether only a SUBSCRIBE with a broken part asks for a topic. mosquitto has carried out the filters before that part
 * when it ends the connection, and the session keeps them.
 */
function isHalfSubscribed({ conversation }: Difference, topic: string): boolean {
  const asks = (isBroken: boolean): boolean =>
    conversation.steps.some(({ about }) => (about.broken !== null) === isBroken && (about.filters ?? []).some(({ filter }) => matchesByRules(withoutShare(filter), topic))); // prettier-ignore
  return asks(true) && !asks(false);
}

function wasPublishedWithQos0({ conversation }: Difference, payload: string): boolean {
  const label = conversation.steps.find((step) => 'bytes' in step && step.bytes.includes(payload))?.label ?? '';
  return / qos 0/.test(label);
}

/** Differences of messages, which have several causes at once: what is left of them when each is taken away. */
export const MESSAGE_EXPLANATIONS: readonly Explanation[] = [
  {
    name:
      'messages: the door retains nothing, forwards no forged ones, sends one copy, carries out wills as requests, and ' +
      'subscribes to nothing for a SUBSCRIBE with a broken part',
    clause:
      'docs/topics.md: the retain flag is ignored; other topics are refused; a will acts as a request, so it arrives ' +
      'when it is committed; MQTT 5, 4.13.1: a Malformed Packet ends the connection; ' +
      'MQTT-3.3.4-2: copies for overlapping filters are up to the server; everything is published with QoS 1',
    explains: (difference) => {
      if (difference.step !== null) return false;
      const mine = common(difference.ours);
      const other = common(difference.theirs).filter(({ topic }) => !isHalfSubscribed(difference, topic));
      // The QoS may only be higher where the request came with QoS 0 (docs/topics.md: everything is published with QoS 1).
      const keepsQos = other.every((their) => {
        const our = mine.find((one) => bare(one) === bare(their));
        return our !== undefined && (our.qos >= their.qos || wasPublishedWithQos0(difference, their.payload));
      });
      // Who subscribes with Retain As Published gets the flag from mosquitto.
      const theirs = lines(difference.theirs);
      const extra = mine.filter((one) => !theirs.some((their) => bare(their) === bare(one)));
      // A request of QoS 0 is kept for a session like every other.
      const isKept = extra.every(({ payload }) => wasPublishedWithQos0(difference, payload));
      const noForged = lines(difference.ours).every(({ payload, retain }) => payload !== FORGED && !retain);
      const oneCopy =
        unique(mine.map(bare)).length === mine.length || difference.ours.some((one) => one.includes(' dup '));
      return keepsQos && isKept && noForged && oneCopy;
    },
  },
  {
    name: 'messages: mosquitto keeps a subscription without No Local when the same packet asks for it again with No Local',
    clause: 'MQTT-3.8.4-3 and MQTT-3.8.3-3: a subscription to the same filter replaces the one before it',
    explains: ({ step, ours, theirs, conversation }) =>
      step === null &&
      ours.every((one) => theirs.includes(one)) &&
      conversation.steps.some(({ about }) => (about.filters ?? []).some((one, at, all) => asksForNoLocalAgain(one, all.slice(0, at)))), // prettier-ignore
  },
];

function asksForNoLocalAgain({ filter, options }: Filter, before: readonly Filter[]): boolean {
  return (options & 4) !== 0 && before.some((one) => one.filter === filter && (one.options & 4) === 0);
}
