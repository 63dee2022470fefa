import type { FastifyReply } from 'fastify';
import { MessageStream, type MessageListener } from '../http/message-stream.js';
import type { Upgrade } from '../http/server/upgrades.js';
import { copyEvents, type BegunStream, type EventWriter } from './copy-events.js';
import { Credit, MAX_CREDIT, readGrant } from './credit.js';
import { message, messageText } from './watch-texts.js';
import { END_MESSAGES, endText, type PermittedWatch, type WatchEnd } from './watch.js';

/** `bad-message`: the client has sent what a stream does not take. */
export type MessageEnd = WatchEnd | 'bad-message';

/** RFC 6455 section 7.4; from 4000 on they are ours, after the status of HTTP that says the same. */
const CLOSE_CODES: Readonly<Record<MessageEnd, number>> = {
  closed: 1000,
  draining: 1001,
  'bad-message': 1008,
  failed: 1011,
  'too-slow': 1013,
  forbidden: 4403,
  compacted: 4410,
  'epoch-changed': 4410,
};

export interface MessagesStart {
  /** Events that the client takes before it grants more; null: any number. */
  readonly credit: number | null;
  /** The address of the same stream with the present state first. */
  readonly reload: string;
}

/**
 * Begins to write a watch as messages over a WebSocket; they go on until either side ends them. A page of a browser cannot
 * see the status of a refusal, so a cursor that is gone is told as the end of a stream that was opened. No errors.
 */
export async function beginMessages(
  watch: PermittedWatch,
  { credit: granted, reload }: MessagesStart,
  upgrade: Upgrade,
  reply: FastifyReply,
): Promise<BegunStream> {
  const credit = new Credit(granted);
  const inbox = new Inbox(watch, credit);
  const stream = await MessageStream.open(upgrade, reply, inbox);
  return { over: stream === null ? Promise.resolve() : writeMessages(watch, stream, inbox, reload) };
}

async function writeMessages(
  watch: PermittedWatch,
  stream: MessageStream,
  inbox: Inbox,
  reload: string,
): Promise<void> {
  const { credit } = inbox;
  let reason: WatchEnd | null = null;
  void watch.ended.then((ended) => {
    reason = ended;
    credit.abandon();
    stream.abandon();
  });
  const end = (why: MessageEnd, text: string): void =>
    stream.end(messageText('end', endText(why, text, reload)), CLOSE_CODES[why], why);
  try {
    if (await copyEvents(watch, writerTo(stream, credit))) reason = await watch.ended;
    const ended = reason ?? 'too-slow';
    if (inbox.fault === null) end(ended, END_MESSAGES[ended]);
    else end('bad-message', inbox.fault);
  } finally {
    end('failed', END_MESSAGES.failed);
  }
}

function writerTo(stream: MessageStream, credit: Credit): EventWriter {
  return {
    ready: () => credit.available(),
    write: (event, detail) => {
      if (event.kind !== 'bookmark') credit.spend();
      return stream.write(message(event, detail));
    },
  };
}

/** What comes from the client. */
class Inbox implements MessageListener {
  /** What was wrong with a message; null: nothing yet. */
  fault: string | null = null;

  constructor(
    private readonly watch: PermittedWatch,
    readonly credit: Credit,
  ) {}

  message(text: string): void {
    const events = readGrant(text);
    if (typeof events === 'string') this.faulty(events);
    else if (!this.credit.isLimited) this.faulty('a stream takes credit only if it was opened with ?credit=');
    else if (!this.credit.grant(events)) this.faulty(`at most ${MAX_CREDIT} events may be granted at once`);
  }

  faulty(why: string): void {
    this.fault = why;
    this.watch.close();
  }

  closed(): void {
    this.watch.close();
  }
}
