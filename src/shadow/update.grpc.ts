import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseJson } from '../document/json.js';
import { parseUpdate, type UpdateRequest } from '../document/parse-request.js';
import { isTombstone } from '../document/shadow-document.js';
import { aboutShadow, keyOf, Rpc, type GrpcCall, type NamesShadow } from '../grpc/grpc-call.js';
import { preconditionFailed } from '../http/conditions.js';
import type { Precondition } from '../store/shadow-store.js';
import { shadowMessage, type ShadowMessage } from './shadow-messages.js';
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
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Rpc('Shadows', 'Update', aboutShadow)
  @Action('shadow:update')
  async update(call: GrpcCall<UpdateMessage>): Promise<ShadowMessage> {
    const { deadline, signal, principal, request } = call;
    const update = this.#updateOf(request);
    const precondition = preconditionOf(request.exists);
    const record = await this.shadow.update({ deadline, signal, principal, key: keyOf(call), precondition }, update);
    return shadowMessage(record, record.change.at, update.clientToken);
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
