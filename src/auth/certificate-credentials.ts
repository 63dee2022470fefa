import { X509Certificate } from 'node:crypto';
import type { Credentials, Identity } from '../access/authenticator.js';
import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { CERTIFICATE_CREDENTIAL } from '../directory/standing.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import { checkDevice, type DeviceIdentity } from './certificates/device-certificate.js';
import { CERTIFICATE_FAULTS } from './certificates/certificate-fault.js';
import type { DeviceTrust } from './certificates/device-trust.js';
import type { FirstSight } from './certificates/first-sight.js';
import type { CredentialKind } from './credential-kinds.js';

interface Known {
  readonly generation: number;
  readonly principal: Principal;
}

export interface CertificateCredentialsParts {
  readonly directory: AccessDirectory;
  readonly trust: DeviceTrust;
  readonly firstSight: FirstSight;
  readonly clock: Clock;
}

/**
 * Knows devices by the certificates of their TLS connections, which are judged as of now, those of resumed sessions too.
 * A caller that shows anything else besides is judged by that alone.
 */
export class CertificateCredentials implements CredentialKind {
  /** By what a door keeps for one connection: requests that follow each other there need no signature to be checked. */
  readonly #known = new WeakMap<Buffer, Known>();

  constructor(private readonly parts: CertificateCredentialsParts) {}

  identify({ bearer, password, certificate, address }: Credentials): Identity | Promise<Identity> | null {
    if (certificate === null || bearer !== null || password !== null) return null;
    const known = this.#known.get(certificate);
    const { directory, clock } = this.parts;
    const isCurrent = known?.generation === directory.generation && (known.principal.expiresAt ?? 0) > clock.now();
    return isCurrent ? known.principal : this.#judge(certificate, address);
  }

  /** @param address null: the device has been registered just now */
  #judge(certificate: Buffer, address: string | null): Identity | Promise<Identity> {
    const device = this.#deviceOf(certificate);
    if (device instanceof ServiceError) return device;
    const { tenant, thing } = device;
    const { directory, firstSight } = this.parts;
    if (directory.get('tenant', tenant)?.record.isDisabled !== false) return new ServiceError('tenantDisabled');
    const record = directory.get('principal', tenant, thing)?.record;
    if (record === undefined && device.registersAtFirstSight && address !== null)
      return firstSight.register(device, address).then((fault) => fault ?? this.#judge(certificate, null));
    if (record?.kind !== 'device' || record.thing !== thing)
      return new ServiceError('certificateRefused', 'no device is registered under the name in it');
    if (record.isDisabled) return new ServiceError('credentialsRevoked');
    return this.#remember(certificate, device);
  }

  #deviceOf(der: Buffer): DeviceIdentity | ServiceError {
    const { trust, clock } = this.parts;
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(der);
    } catch {
      return new ServiceError('certificateRefused', CERTIFICATE_FAULTS.malformed);
    }
    const check = checkDevice(certificate, trust, clock.now());
    return check.kind === 'device' ? check.device : new ServiceError('certificateRefused', check.fault.message);
  }

  #remember(certificate: Buffer, device: DeviceIdentity): Identity {
    const { trust, directory } = this.parts;
    const { tenant, thing, fingerprint, twin, keyHash, notAfterMs } = device;
    const authority = trust.authorityOf(tenant, keyHash);
    // checkDevice has found one in the same turn.
    if (!authority) return new ServiceError('certificateRefused', CERTIFICATE_FAULTS.unknownIssuer);
    const principal: Principal = {
      id: thing,
      tenant,
      thing,
      certificateId: fingerprint,
      certificate: { twinId: twin, authority: authority.caId, authorityKey: keyHash },
      credential: CERTIFICATE_CREDENTIAL + fingerprint,
      // To the end of its last millisecond, as the judge of certificates counts.
      expiresAt: Math.min(notAfterMs, authority.notAfterMs) + trust.skewMs + 1,
    };
    this.#known.set(certificate, { generation: directory.generation, principal });
    return principal;
  }
}
