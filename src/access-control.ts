import type { AccessKeyMaker } from './access/access-key-maker.js';
import type { Access } from './access/access.module.js';
import { AuditTrail } from './audit/audit-trail.js';
import { AccessTokenCredentials } from './auth/access-token-credentials.js';
import { ACCESS_KEY_PURPOSE, createAccessKey } from './auth/aws-signature/access-key.js';
import { AwsSignatures } from './auth/aws-signatures.js';
import { CertificateCredentials } from './auth/certificate-credentials.js';
import { DeviceTrust } from './auth/certificates/device-trust.js';
import { FirstSight } from './auth/certificates/first-sight.js';
import { RegistrationCodes } from './auth/certificates/possession.js';
import { CredentialKinds } from './auth/credential-kinds.js';
import { ExternalIssuers } from './auth/external-issuers.js';
import { FIRST_TENANT, firstAdministrator, type FirstAdministrator } from './auth/first-administrator.js';
import { KeyPrincipals } from './auth/key-principals.js';
import { openMasterKey } from './auth/master-key-file.js';
import { SecretSeal } from './auth/sealed-secret.js';
import { SecretKeyCredentials } from './auth/secret-key-credentials.js';
import { TokenAcceptance } from './auth/token-acceptance.js';
import { TokenAuthority } from './auth/token-authority.js';
import { TokenStanding } from './auth/token-standing.js';
import { followTokenPolicy } from './auth/follow-token-policy.js';
import { LiveTokenPolicy } from './auth/tokens/live-token-policy.js';
import { SecretKeys } from './auth/tokens/secret-key.js';
import { Breakers } from './breakers/breakers.js';
import type { Config } from './config/config.js';
import { AccessDirectory } from './directory/access-directory.js';
import { ACCESS_PATH } from './directory/access-records.js';
import { AccessWriter } from './directory/access-writer.js';
import { PolicyAuthorizer } from './policies/policy-authorizer.js';
import { RequestLimits, type TenantLimits } from './limits/request-limits.js';
import { RequestsInFlight } from './limits/requests-in-flight.js';
import { SlowedFailures } from './limits/slowed-failures.js';
import { TenantSessionLimits } from './limits/tenant-session-limits.js';
import type { Clock } from './resilience/clock.js';
import { LiveRouteLists } from './route-lists/live-route-lists.js';
import type { ClusterKeys } from './store/cluster-keys.js';
import type { Logger } from './telemetry/logger.js';
import { Metrics } from './telemetry/metrics.js';

export interface AccessControlParts {
  readonly config: Config;
  readonly keys: ClusterKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/** Everything by which a node knows its callers and what they may do. */
export class AccessControl implements Access {
  readonly directory: AccessDirectory;
  readonly writer: AccessWriter;
  readonly secretKeys: SecretKeys;
  readonly keyCredentials: SecretKeyCredentials;
  readonly tokenPolicy = new LiveTokenPolicy();
  readonly issuers: ExternalIssuers;
  readonly acceptance: TokenAcceptance;
  /** Null: this service issues no tokens. */
  readonly tokens: TokenAuthority | null;
  readonly trust: DeviceTrust;
  readonly registrationCodes: RegistrationCodes;
  readonly accessKeys: AccessKeyMaker;
  readonly authenticator: SlowedFailures;
  readonly authorizer: PolicyAuthorizer;
  readonly audit: AuditTrail;
  readonly limits: RequestLimits;
  /** Before calls to what this node depends on besides etcd. */
  readonly breakers: Breakers;
  readonly inFlight: RequestsInFlight;
  readonly streams: RequestsInFlight;
  readonly sessions: TenantSessionLimits;
  readonly routes: LiveRouteLists;
  /** Seals secrets of sinks. */
  readonly sinkSecrets: SecretSeal;
  /** Keys of the cluster, for what nodes divide among themselves. */
  readonly keys: ClusterKeys;

  /** @throws MasterKeyError */
  constructor(private readonly parts: AccessControlParts) {
    const { config, keys, clock, logger, metrics = new Metrics() } = parts;
    const below = keys.under(ACCESS_PATH);
    const { issuer } = config.auth;
    const masterKey = openMasterKey(config.auth.masterKey, config.dataDir);
    const seal = new SecretSeal(masterKey, ACCESS_KEY_PURPOSE);
    this.keys = keys;
    this.sinkSecrets = new SecretSeal(masterKey, 'sinks');
    this.secretKeys = new SecretKeys(masterKey);
    this.registrationCodes = new RegistrationCodes(masterKey);
    this.accessKeys = { make: () => createAccessKey(seal) };
    this.audit = new AuditTrail(clock, logger, metrics.access);
    this.breakers = new Breakers({ keys, node: config.nodeId, clock, logger, metrics: metrics.access });
    this.directory = new AccessDirectory(below, logger);
    this.writer = new AccessWriter(below, this.directory);
    this.routes = new LiveRouteLists(this.directory, logger);
    const principals = new KeyPrincipals(this.directory, clock);
    this.keyCredentials = new SecretKeyCredentials(this.directory, this.secretKeys, principals, clock);
    this.trust = new DeviceTrust(this.directory);
    const { directory, keyCredentials, audit, tokenPolicy: policy } = this;
    this.issuers = new ExternalIssuers({
      ...{ directory, own: issuer, hosts: config.auth.issuerHosts },
      ...{ breakers: this.breakers, clock, logger },
    });
    this.acceptance = new TokenAcceptance({ keys, policy, external: this.issuers, clock });
    const { acceptance } = this;
    this.tokens =
      issuer === null
        ? null
        : new TokenAuthority({ issuer, keys, masterKey, policy, acceptance, clock, audit, logger });
    followTokenPolicy(directory, policy, logger);
    const byToken = new AccessTokenCredentials(directory, acceptance.accessTokens, clock);
    const signatures = new AwsSignatures(directory, principals, clock, seal);
    const kinds = new CredentialKinds([keyCredentials, byToken, this.#certificates()], signatures);
    this.authenticator = new SlowedFailures(kinds, config.rates.failures, clock);
    const standing = new TokenStanding(directory, acceptance.denials, clock);
    this.authorizer = new PolicyAuthorizer(directory, clock, standing);
    this.inFlight = new RequestsInFlight(config.rates.inFlight, config.rates.inFlightOfConnection);
    this.streams = new RequestsInFlight(config.rates.streams, 0);
    const given = tenantLimits(this.directory);
    this.limits = new RequestLimits(config.rates, given, clock);
    this.sessions = new TenantSessionLimits(config.rates, given);
  }

  /**
   * Begins to follow the records of access. Until they are there, nobody may do anything.
   * @returns the administrator that was made because there was nobody; null: there was somebody
   */
  async start(): Promise<FirstAdministrator | null> {
    this.breakers.start();
    this.directory.start();
    await this.directory.ready;
    await this.acceptance.start();
    await this.tokens?.start();
    const first = await firstAdministrator(this.directory, this.writer, this.secretKeys, this.parts.clock);
    if (first !== null) {
      this.audit.record({
        ...{ action: 'administrator:create', actor: null, tenant: FIRST_TENANT },
        ...{ target: `/v1/principals/${first.principal}`, address: '', outcome: 'done', code: null },
      });
    }
    return first;
  }

  #certificates(): CertificateCredentials {
    const { directory, writer, trust, audit } = this;
    const { clock, logger } = this.parts;
    const firstSight = new FirstSight({ directory, writer, audit, clock, logger });
    return new CertificateCredentials({ directory, trust, firstSight, clock });
  }

  /** No errors. */
  close(): void {
    void this.breakers.close();
    this.directory.close();
    this.audit.close();
    this.acceptance.close();
    this.issuers.close();
    this.tokens?.close();
  }
}

function tenantLimits(directory: AccessDirectory): TenantLimits {
  return {
    get generation() {
      return directory.generation;
    },
    of: (tenant) => directory.get('tenant', tenant)?.record.limits,
  };
}
