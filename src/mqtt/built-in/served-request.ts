import type { Principal } from '../../access/principal.js';
import type { Answer, AnswerReceiver, ReceivedRequest } from '../answer.js';
import type { RequestTopic } from '../topics.js';
import type { IncomingRequest } from './connections/incoming-request.js';

/** A request of a connection that is being answered. */
export class ServedRequest implements ReceivedRequest, AnswerReceiver {
  constructor(
    private readonly incoming: IncomingRequest,
    readonly request: RequestTopic,
    private readonly onAnswered: (incoming: IncomingRequest, answer: Answer) => void,
  ) {}

  get topic(): string {
    return this.incoming.route.topic;
  }

  get payload(): Buffer {
    return this.incoming.payload;
  }

  get principal(): Principal {
    return this.incoming.owner.principal;
  }

  get clientId(): string {
    return this.incoming.owner.clientId;
  }

  answered(answer: Answer): void {
    this.onAnswered(this.incoming, answer);
  }
}
