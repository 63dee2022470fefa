import { sayRevision, type GrpcCall } from '../grpc/grpc-call.js';
import type { Carried } from './idempotent-writes.js';
import type { Answer } from './kept-answer.js';

type Call = Pick<GrpcCall<unknown>, 'say'>;

/** A message of gRPC but for its revision, which is not known before the commit, as an answer to be kept. No errors. */
export const keptMessage = (message: object): Answer => ({ status: 200, headers: {}, body: JSON.stringify(message) });

/** The message that `keptMessage` has kept, with its revision. No errors. */
export function sentMessage<Message extends { readonly revision: number }>(call: Call, carried: Carried): Message {
  sayCarried(call, carried);
  const { answer, revision } = carried;
  return { ...(JSON.parse(answer.body) as Omit<Message, 'revision'>), revision } as Message;
}

/** Says what the headers of HTTP say of a request that was carried out. No errors. */
export function sayCarried(call: Call, { revision, isReplayed }: Pick<Carried, 'revision' | 'isReplayed'>): void {
  if (isReplayed) call.say('idempotent-replayed', 'true');
  sayRevision(call, revision);
}
