import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseClientToken } from '../document/parse-request.js';
import { isTombstone } from '../document/shadow-document.js';
import { echoToken } from '../errors/echo-token.js';
import { ServiceError } from '../errors/service-error.js';
import { aboutShadow, keyOf, Rpc, type GrpcCall, type NamesShadow } from '../grpc/grpc-call.js';
import type { Precondition } from '../store/shadow-store.js';
import { DeleteShadow } from './delete.js';
import { deletedMessage, type DeletedMessage } from './shadow-messages.js';

interface DeleteMessage extends NamesShadow {
  readonly version?: number;
  readonly clientToken?: string;
}

@Controller()
export class DeleteShadowGrpc {
  constructor(
    @Inject(DeleteShadow) private readonly shadow: DeleteShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Rpc('Shadows', 'Delete', aboutShadow)
  @Action('shadow:delete')
  async delete(call: GrpcCall<DeleteMessage>): Promise<DeletedMessage> {
    const { deadline, signal, principal, request } = call;
    const { version, clientToken } = request;
    const token =
      clientToken === undefined
        ? undefined
        : parseClientToken(Buffer.from(JSON.stringify({ clientToken })), this.config.limits);
    if (version !== undefined && (!Number.isSafeInteger(version) || version < 0)) {
      throw new ServiceError('invalidVersion', '', token);
    }
    const target = { deadline, signal, principal, key: keyOf(call), precondition: preconditionOf(version) };
    return deletedMessage(await echoToken(token, this.shadow.delete(target, token)));
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
