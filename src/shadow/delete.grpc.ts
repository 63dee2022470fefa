import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseClientToken } from '../document/parse-request.js';
import { isTombstone } from '../document/shadow-document.js';
import { echoToken } from '../errors/echo-token.js';
import { ServiceError } from '../errors/service-error.js';
import { aboutShadow, keyOf, OF_WRITES, Rpc, sayRevision, type GrpcCall, type NamesShadow } from '../grpc/grpc-call.js';
import { callFingerprintOf, hasIdempotencyKey } from '../idempotency/idempotency-key.js';
import type { Answer } from '../idempotency/kept-answer.js';
import { sentMessage } from '../idempotency/message-answer.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import type { Changed, Precondition } from '../store/shadow-store.js';
import { DeleteShadow } from './delete.js';
import { IdempotentChange } from './idempotent-change.js';
import type { ShadowCall } from './shadow-call.js';
import { deletedMessage, keptDeletedMessage, type DeletedMessage } from './shadow-messages.js';

interface DeleteMessage extends NamesShadow {
  readonly version?: number;
  readonly clientToken?: string;
}

@Controller()
export class DeleteShadowGrpc {
  constructor(
    @Inject(DeleteShadow) private readonly shadow: DeleteShadow,
    @Inject(LeasedWrites) private readonly leases: LeasedWrites,
    @Inject(IdempotentChange) private readonly idempotent: IdempotentChange,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Rpc('Shadows', 'Delete', aboutShadow, OF_WRITES)
  @Action('shadow:delete')
  async delete(call: GrpcCall<DeleteMessage>): Promise<DeletedMessage> {
    const { deadline, signal, principal, request, trace } = call;
    const { version, clientToken } = request;
    const token =
      clientToken === undefined
        ? undefined
        : parseClientToken(Buffer.from(JSON.stringify({ clientToken })), this.config.limits);
    if (version !== undefined && (!Number.isSafeInteger(version) || version < 0)) {
      throw new ServiceError('invalidVersion', '', token);
    }
    const key = keyOf(call);
    const target = { deadline, signal, principal, key, trace, precondition: preconditionOf(version) };
    if (hasIdempotencyKey(call)) return echoToken(token, this.#once(call, target, token));
    const deleting = hasLease(call)
      ? this.leases.under(call, [key.thing], (fence) => this.shadow.delete({ ...target, fence }, token))
      : this.shadow.delete(target, token);
    const record = await echoToken(token, deleting);
    sayRevision(call, record.position.revision);
    return deletedMessage(record);
  }

  async #once(call: GrpcCall<DeleteMessage>, target: ShadowCall, token: string | undefined): Promise<DeletedMessage> {
    const change = this.shadow.changeOf(target, token);
    const answerOf = (made: Changed): Answer => keptDeletedMessage(target.key, made);
    return sentMessage(call, await this.idempotent.carryOut(call, callFingerprintOf(call), target, change, answerOf));
  }
}

/** What does not exist is not found, whatever version was meant. */
function preconditionOf(version: number | undefined): Precondition | undefined {
  if (version === undefined) return undefined;
  return (current) => {
    if (current !== null && !isTombstone(current) && current.version !== version)
      throw new ServiceError('versionConflict');
  };
}
