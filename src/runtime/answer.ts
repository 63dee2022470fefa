import type { FastifyReply } from 'fastify';
import { tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { pendingIn, type RuntimeState } from './runtime-state.js';
import { runtimeView } from './runtime-view.js';

/** Answers with the whole runtime configuration. The entity tag is that of the staged document. No errors. */
export function answerWith(reply: FastifyReply, state: RuntimeState): string {
  const staged = pendingIn(state);
  if (staged === null) void reply.header('cache-control', 'no-store');
  else tagged(reply, staged.revision);
  return json(reply, runtimeView(state));
}
