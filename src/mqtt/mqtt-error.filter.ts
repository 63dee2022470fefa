import { Catch, Inject, Injectable, type ArgumentsHost, type RpcExceptionFilter } from '@nestjs/common';
import { of, type Observable } from 'rxjs';
import { ServiceError } from '../errors/service-error.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { MqttRequest, Refused, type Refusal } from './mqtt-request.js';

/** StoreReaderLimit what a handler throws into a `rejected` message, or into silence where the outcome is unknown. */
@Catch()
@Injectable()
export class MqttErrorFilter implements RpcExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(exception: unknown, host: ArgumentsHost): Observable<Refused> {
    return of(new Refused(this.#refusal(exception, host.switchToRpc().getContext<MqttRequest>())));
  }

  #refusal(exception: unknown, request: MqttRequest): Refusal {
    const { requestId, clientId, operation, key } = request;
    const where = { requestId, clientId, operation, thing: key.thing, shadow: key.name };
    if (exception instanceof ServiceError) {
      if (exception.code === 'outcomeUnknown') {
        this.logger.warn({ ...where, reason: exception.code }, 'outcome unknown');
        return { kind: 'unknown' };
      }
      return { kind: 'rejected', error: exception };
    }
    this.logger.error({ ...where, err: exception }, 'request failed');
    return request.mayBeApplied ? { kind: 'unknown' } : { kind: 'rejected', error: new ServiceError('internal') };
  }
}
