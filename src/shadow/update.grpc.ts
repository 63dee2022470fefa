import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseJson } from '../document/json.js';
import { parseUpdate, type UpdateRequest } from '../document/parse-request.js';
import { isTombstone } from '../document/shadow-document.js';
import { echoToken } from '../errors/echo-token.js';
import { aboutShadow, keyOf, OF_WRITES, Rpc, sayRevision, type GrpcCall, type NamesShadow } from '../grpc/grpc-call.js';
import { preconditionFailed } from '../http/conditions.js';
import { callFingerprintOf, hasIdempotencyKey } from '../idempotency/idempotency-key.js';
import type { Answer } from '../idempotency/kept-answer.js';
import { sentMessage } from '../idempotency/message-answer.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import type { Changed, Precondition } from '../store/shadow-store.js';
import { IdempotentChange } from './idempotent-change.js';
import { keptShadowMessage, shadowMessage, type ShadowMessage } from './shadow-messages.js';
import type { ShadowCall } from './shadow-call.js';
import { UpdateShadow } from './update.js';

interface UpdateMessage extends NamesShadow {
  readonly patch: string;
  readonly version?: number;
  readonly exists?: boolean;
  readonly clientToken?: string;
}

@Controller()
export class UpdateShadowGrpc {
  constructor(
    @Inject(UpdateShadow) private readonly shadow: UpdateShadow,
    @Inject(LeasedWrites) private readonly leases: LeasedWrites,
    @Inject(IdempotentChange) private readonly idempotent: IdempotentChange,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Rpc('Shadows', 'Update', aboutShadow, OF_WRITES)
  @Action('shadow:update')
  async update(call: GrpcCall<UpdateMessage>): Promise<ShadowMessage> {
    const { deadline, signal, principal, request, trace } = call;
    const update = this.#updateOf(request);
    const key = keyOf(call);
    const target = { deadline, signal, principal, key, trace, precondition: preconditionOf(request.exists) };
    if (hasIdempotencyKey(call)) return echoToken(update.clientToken, this.#once(call, target, update));
    const updated = hasLease(call)
      ? this.leases.under(call, [key.thing], (fence) => this.shadow.update({ ...target, fence }, update))
      : this.shadow.update(target, update);
    const record = await echoToken(update.clientToken, updated);
    sayRevision(call, record.position.revision);
    return shadowMessage(record, record.change.at, update.clientToken);
  }

  async #once(call: GrpcCall<UpdateMessage>, target: ShadowCall, update: UpdateRequest): Promise<ShadowMessage> {
    const change = this.shadow.changeOf(target, update);
    const answerOf = (made: Changed): Answer => keptShadowMessage(target.key, made);
    return sentMessage(call, await this.idempotent.carryOut(call, callFingerprintOf(call), target, change, answerOf));
  }

  /** The patch is parsed first, so that only one JSON value gets between the braces. */
  #updateOf({ patch, version, clientToken }: UpdateMessage): UpdateRequest {
    const { limits } = this.config;
    const bytes = Buffer.from(patch);
    parseJson(bytes, limits.maxDepth);
    const token = clientToken === undefined ? '' : `,"clientToken":${JSON.stringify(clientToken)}`;
    const expected = version === undefined ? '' : `,"version":${version}`;
    return parseUpdate(Buffer.from(`{"state":${patch}${token}${expected}}`), limits);
  }
}

/** @param exists undefined: either way */
function preconditionOf(exists: boolean | undefined): Precondition | undefined {
  if (exists === undefined) return undefined;
  return (current) => {
    if (exists !== (current !== null && !isTombstone(current))) throw preconditionFailed(current);
  };
}
