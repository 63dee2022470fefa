import type { Audit } from '../../access/audit.js';
import type { AccessDirectory } from '../../directory/access-directory.js';
import type { AccessWriter } from '../../directory/access-writer.js';
import { recordOf } from '../../directory/record-of.js';
import { ServiceError } from '../../errors/service-error.js';
import type { Clock } from '../../resilience/clock.js';
import { CERTIFICATE_CREDENTIAL } from '../../directory/standing.js';
import type { Logger } from '../../telemetry/logger.js';
import type { DeviceIdentity } from './device-certificate.js';

/** Devices that are registered at once; the others come again. */
export const MAX_REGISTRATIONS = 64;

export interface FirstSightParts {
  readonly directory: AccessDirectory;
  readonly writer: AccessWriter;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes principals of devices that nobody has registered, for authorities that say so. */
export class FirstSight {
  /** By tenant and thing: a device that connects twice is one. */
  readonly #running = new Map<string, Promise<ServiceError | null>>();

  constructor(private readonly parts: FirstSightParts) {}

  /**
   * Never rejects.
   * @param address IP address of the device
   * @returns null: the principal is there
   */
  register(device: DeviceIdentity, address: string): Promise<ServiceError | null> {
    const name = `${device.tenant}/${device.thing}`;
    const running = this.#running.get(name);
    if (running) return running;
    if (this.#running.size >= MAX_REGISTRATIONS)
      return Promise.resolve(new ServiceError('overloaded', 'many devices are being registered'));
    const registration = this.#create(device, address).finally(() => this.#running.delete(name));
    this.#running.set(name, registration);
    return registration;
  }

  async #create({ tenant, thing, caId, fingerprint }: DeviceIdentity, address: string): Promise<ServiceError | null> {
    const { directory, writer, audit, clock, logger } = this.parts;
    const policies = directory.get('authority', tenant, caId)?.record.policies ?? [];
    const device = { kind: 'device', disabled: false, thing, thingType: null, attributes: {}, roles: ['device'] };
    try {
      const others = { policies, groups: [], passwordHash: null, createdAtMs: clock.now() };
      const record = recordOf('principal', [tenant, thing], { ...device, ...others });
      await writer.create('principal', [tenant, thing], record);
      audit.record({
        action: 'principal:update',
        actor: { id: thing, tenant, credential: CERTIFICATE_CREDENTIAL + fingerprint },
        ...{ tenant, target: `/v1/tenants/${tenant}/principals/${thing}`, address, outcome: 'done', code: null },
      });
      return null;
    } catch (error) {
      logger.warn({ tenant, principal: thing, authority: caId, err: error }, 'device not registered at first sight');
      const isOfStore = error instanceof ServiceError && error.status >= 500;
      return isOfStore ? error : new ServiceError('overloaded', 'the device could not be registered');
    }
  }
}
