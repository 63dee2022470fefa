import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { aboutShadow, keyOf, Rpc, sayRevision, type GrpcCall, type NamesShadow } from '../grpc/grpc-call.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { GetShadow } from './get.js';
import { shadowMessage, type ShadowMessage } from './shadow-messages.js';
import { versionWanted } from './version-query.js';

interface GetMessage extends NamesShadow {
  readonly minRevision?: number;
  readonly revision?: number;
  readonly at?: string;
}

@Controller()
export class GetShadowGrpc {
  constructor(
    @Inject(GetShadow) private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Rpc('Shadows', 'Get', aboutShadow)
  @Action('shadow:get')
  async get(call: GrpcCall<GetMessage>): Promise<ShadowMessage> {
    const target = { key: keyOf(call), deadline: call.deadline, trace: call.trace };
    const wanted = versionWanted(queryOf(call.request), this.clock);
    const record = await (wanted === null ? this.shadow.get(target) : this.shadow.getVersion(target, wanted));
    sayRevision(call, record.readAt ?? record.position.revision);
    return shadowMessage(record, this.clock.now());
  }
}

/** The parameters of HTTP, which are text. */
function queryOf({ minRevision, revision, at }: GetMessage): object {
  return { minRevision: minRevision?.toString(), revision: revision?.toString(), at };
}
