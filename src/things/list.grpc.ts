import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { aboutThings, Rpc, sayRevision, type GrpcCall } from '../grpc/grpc-call.js';
import { pageOf, type PageMessage } from '../grpc/page.js';
import type { LiveRecord } from '../shadow/get.js';
import { changedAt } from '../shadow/send-document.js';
import { ListThings } from './list.js';

interface ThingsMessage {
  readonly things: readonly {
    readonly thing: string;
    readonly shadows: readonly SummaryMessage[];
    readonly truncated: boolean;
  }[];
  readonly revision: number;
  readonly nextPageToken?: string;
}

interface SummaryMessage {
  readonly name?: string;
  readonly version: number;
  readonly revision: number;
  readonly changedAt: string;
}

@Controller()
export class ListThingsGrpc {
  constructor(@Inject(ListThings) private readonly things: ListThings) {}

  @Rpc('Things', 'List', aboutThings)
  @Action('thing:list')
  async list(call: GrpcCall<PageMessage>): Promise<ThingsMessage> {
    const { request, principal, deadline } = call;
    const { tenant } = principal;
    const { things, next, revision } = await this.things.list({ tenant, ...pageOf(request) }, { deadline });
    sayRevision(call, revision);
    return {
      things: things.map(({ thing, records, truncated }) => ({ thing, shadows: records.map(summaryOf), truncated })),
      revision,
      ...(next !== undefined && { nextPageToken: next }),
    };
  }
}

const summaryOf = ({ key, state, change, position }: LiveRecord): SummaryMessage => ({
  ...(key.name !== null && { name: key.name }),
  version: state.version,
  revision: position.revision,
  changedAt: changedAt(change),
});
