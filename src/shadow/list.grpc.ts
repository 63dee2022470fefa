import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { aboutThing, Rpc, sayRevision, type GrpcCall } from '../grpc/grpc-call.js';
import { pageOf, type PageMessage } from '../grpc/page.js';
import { existed } from './find-version.js';
import { GetShadow } from './get.js';
import { ListShadows } from './list.js';

interface ListMessage extends PageMessage {
  readonly thing: string;
}

interface NamesMessage {
  readonly thing: string;
  readonly classic: boolean;
  readonly names: readonly string[];
  readonly revision: number;
  readonly nextPageToken?: string;
}

@Controller()
export class ListShadowsGrpc {
  constructor(
    @Inject(ListShadows) private readonly shadows: ListShadows,
    @Inject(GetShadow) private readonly shadow: GetShadow,
  ) {}

  @Rpc('Shadows', 'List', aboutThing)
  @Action('shadow:list')
  async list(call: GrpcCall<ListMessage>): Promise<NamesMessage> {
    const { request, deadline } = call;
    const { tenant } = call.principal;
    const { thing } = request;
    const page = pageOf(request);
    const { minRevision } = page;
    const [{ names, next, revision }, { record, position }] = await Promise.all([
      this.shadows.list({ tenant, thing, ...page }, { deadline }),
      this.shadow.find(
        { key: { tenant, thing, name: null }, deadline },
        { ...(minRevision !== undefined && { minRevision }) },
      ),
    ]);
    const oldest = Math.min(revision, position.revision);
    sayRevision(call, oldest);
    // The classic shadow has no name, so the list shows it as a member of its own.
    const classic = existed({ record });
    return { thing, classic, names, revision: oldest, ...(next !== undefined && { nextPageToken: next }) };
  }
}
