import type { Conversation, Step } from './conversation.js';
import type { Event } from './decode.js';
import type { Seen } from './play.js';
import { PROPERTY } from './wire.js';

/** The two servers saw the same bytes, and these answers differ. */
export interface Difference {
  readonly conversation: Conversation;
  /** null for the messages of a connection, which have no step. */
  readonly step: Step | null;
  readonly on: number;
  /** Whether it is the connection of the step that sees it. */
  readonly isOwn: boolean;
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

type Table = ReadonlyMap<number, Seen>;

/**
 * Differences in the order of the steps, up to the first step after which a connection is alive at one server only: what
 * follows it is not the same conversation any more.
 */
export function compare(conversation: Conversation, ours: Table, theirs: Table): Difference[] {
  const differences: Difference[] = [];
  const parted = new Set<number>();
  const steps = conversation.steps.length;
  for (let at = 0; at <= steps; at++) {
    const step = conversation.steps[at] ?? null;
    let isOver = false;
    for (const on of ours.keys()) {
      const mine = answersAt(ours, on, at);
      const other = answersAt(theirs, on, at);
      if (mine.join() === other.join()) continue;
      parted.add(on);
      differences.push({ conversation, step, on, isOwn: step?.on === on, ours: mine, theirs: other });
      if (ends(mine) !== ends(other)) isOver = true;
    }
    if (isOver) return differences;
  }
  for (const on of ours.keys()) {
    const [mine, other] = [messagesOf(ours, on), messagesOf(theirs, on)];
    if (!parted.has(on) && mine.join() !== other.join())
      differences.push({ conversation, step: null, on, isOwn: false, ours: mine, theirs: other });
  }
  return differences;
}

const ends = (events: readonly string[]): boolean => events.some((one) => one === 'closed' || one === 'silent');

function answersAt(table: Table, on: number, step: number): string[] {
  return order(table.get(on)?.answers.get(step) ?? []).map(showEvent);
}

/** Answers of one kind come in an order; different kinds have none among each other, but the end comes last. */
function order(events: readonly Event[]): Event[] {
  const rank = ({ kind }: Event): number => (kind === 'closed' ? 2 : kind === 'disconnect' ? 1 : 0);
  return [...events].sort((a, b) => rank(a) - rank(b) || (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0));
}

/** Messages by topic: topics have no order among each other. */
function messagesOf(table: Table, on: number): string[] {
  const messages = table.get(on)?.messages ?? [];
  const lines = messages.flatMap((one) => (one.kind === 'publish' ? [{ topic: one.topic, line: showEvent(one) }] : []));
  return lines.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0)).map(({ line }) => line);
}

export function showEvent(event: Event): string {
  switch (event.kind) {
    case 'connack': {
      const has = (id: number): string => (event.properties.has(id) ? ` property ${id}` : '');
      const shown = [PROPERTY.assignedClientIdentifier, PROPERTY.serverKeepAlive].map(has).join('');
      return `connack ${event.code}${event.session ? ' session' : ''}${shown}`;
    }
    case 'suback':
    case 'unsuback':
      return `${event.kind} ${event.id}: ${event.codes.join(' ')}`;
    case 'publish':
      return `publish ${event.topic} qos ${event.qos}${event.dup ? ' dup' : ''}${event.retain ? ' retain' : ''} ${event.payload}`;
    case 'disconnect':
      return `disconnect ${event.code}`;
    case 'bad':
      return `bad ${event.why}`;
    case 'pingresp':
    case 'closed':
    case 'silent':
      return event.kind;
    default:
      return `${event.kind} ${event.id} ${event.code}`;
  }
}
