import type { KeyObject } from 'node:crypto';
import { ServiceError } from '../../errors/service-error.js';
import type { Clock } from '../../resilience/clock.js';
import type { ClusterKeys, KeyListener, KeyUpdate, StoredKey } from '../../store/cluster-keys.js';
import { SecretSeal } from '../sealed-secret.js';
import { makeSigningKey, privateKeyOf, publicKeyOf, type PublicJwk } from './signing-key.js';
import {
  decodeRing,
  encodeRing,
  firstRing,
  keysOf,
  rotated,
  SigningRingError,
  withoutEnded,
  type SigningRing,
} from './signing-ring.js';
import { LONGEST_VALIDITY_MS } from './token-rules.js';

/** Key of the record below the path that the keys are given. */
export const SIGNING_KEYS = 'signing-keys';
/** Milliseconds between two reads for a kid that is not known: another node may have rotated a moment ago. */
const READ_AGAIN_MS = 1_000;
/** Tokens of unknown kids that wait for such a read at once; beyond them a kid is unknown at once. */
const MAX_WAITING = 256;
/** Tries of a change that loses against other nodes. */
const TRIES = 5;

export interface PublishedJwk extends PublicJwk {
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
}

interface Opened {
  readonly ring: SigningRing;
  readonly revision: number;
  readonly signing: KeyObject;
  /** By kid; `until` as in StoredSigningKey. */
  readonly verifying: ReadonlyMap<string, { readonly key: KeyObject; readonly until: number | null }>;
}

/** The signing keys of the cluster, one record that all nodes share; the private halves are sealed. */
export class SigningKeys implements KeyListener {
  readonly #seal: SecretSeal;
  #opened: Opened | null = null;
  #readAt = -Infinity;
  #reading: Promise<void> | null = null;
  #waiting = 0;

  /**
   * @param keys the record is its key `signing-keys`
   * @throws RangeError for a master key that has not 32 bytes
   */
  constructor(
    private readonly keys: ClusterKeys,
    masterKey: Uint8Array,
    private readonly clock: Clock,
  ) {
    this.#seal = new SecretSeal(masterKey, 'signing-key');
  }

  /**
   * Reads the record; the first node of a cluster makes it.
   * @throws SigningRingError when the record is damaged or sealed under another master key
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async open(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      if (await this.#read()) return;
      const value = encodeRing(firstRing(() => makeSigningKey(this.#seal), this.clock.now()));
      await this.keys.commit({ guards: [{ key: SIGNING_KEYS, value: null }], puts: [{ key: SIGNING_KEYS, value }] });
    }
    throw new ServiceError('storageUnavailable');
  }

  /** The key that new tokens are signed with. @throws Error before open() */
  get current(): { readonly kid: string; readonly privateKey: KeyObject } {
    const { ring, signing } = this.#now;
    return { kid: ring.current.kid, privateKey: signing };
  }

  /** Epoch milliseconds since which the present key signs. @throws Error before open() */
  get since(): number {
    return this.#now.ring.current.since ?? 0;
  }

  /** The key set as it is published (RFC 7517): the present key first. @throws Error before open() */
  published(): { readonly keys: readonly PublishedJwk[] } {
    const keys = keysOf(withoutEnded(this.#now.ring, this.clock.now()));
    return { keys: keys.map(({ kid, jwk }) => ({ ...jwk, kid, alg: 'ES256', use: 'sig' })) };
  }

  /** Whether tokens of this kid are accepted. No errors. */
  knows(kid: string | undefined): boolean {
    return kid !== undefined && this.#find(kid) !== null;
  }

  /**
   * The key that verifies tokens of this kid; null: there is none. A kid that is not known has the record read again,
   * at most once a second: another node may have rotated. A storage that does not answer counts as "none". No errors.
   */
  async find(kid: string): Promise<KeyObject | null> {
    const known = this.#find(kid);
    if (known !== null) return known;
    await this.#readAgain();
    return this.#find(kid);
  }

  /**
   * Takes the record over from a watch, whatever its revision is: it may follow a restored backup.
   * @throws SigningRingError when it is damaged or sealed under another master key; the present keys go on
   */
  snapshot(keys: ReadonlyMap<string, StoredKey>): void {
    const stored = keys.get(SIGNING_KEYS);
    if (stored) this.#take(stored);
  }

  /** Takes the record over as another node wrote it; older ones are ignored. @throws SigningRingError as snapshot() */
  change({ key, value, revision }: KeyUpdate): void {
    if (key === SIGNING_KEYS && value !== null) this.#takeNewer({ value, revision });
  }

  /**
   * Signs with the next key from now on. Tokens of the present key stay valid until they expire.
   * @throws SigningRingError when too many old keys are still needed
   * @throws ServiceError versionConflict when other nodes keep rotating; storageUnavailable, storageFull, draining
   */
  rotate(): Promise<void> {
    const now = this.clock.now();
    return this.#change((ring) => rotated(ring, makeSigningKey(this.#seal), now, LONGEST_VALIDITY_MS));
  }

  /**
   * Rotates when the present key has signed for that long. Every node may ask: one rotates.
   * @param periodMs milliseconds
   * @throws as rotate() does
   */
  async rotateIfDue(periodMs: number): Promise<void> {
    const now = this.clock.now();
    const isDue = (ring: SigningRing): boolean => (ring.current.since ?? 0) + periodMs <= now;
    if (!isDue(this.#now.ring)) return;
    await this.#change((ring) =>
      isDue(ring) ? rotated(ring, makeSigningKey(this.#seal), now, LONGEST_VALIDITY_MS) : ring,
    );
  }

  /**
   * Makes all keys anew, after one became known to somebody: every token that was signed so far is refused.
   * @throws ServiceError as rotate() does
   */
  replaceAll(): Promise<void> {
    return this.#change(() => firstRing(() => makeSigningKey(this.#seal), this.clock.now()));
  }

  async #change(change: (ring: SigningRing) => SigningRing): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      await this.#read();
      const { ring, revision } = this.#now;
      const changed = change(ring);
      if (changed === ring) return;
      const value = encodeRing(changed);
      const guards = [{ key: SIGNING_KEYS, revision }];
      const done = await this.keys.commit({ guards, puts: [{ key: SIGNING_KEYS, value }] });
      if (done !== null) return this.#takeNewer({ value, revision: done });
    }
    throw new ServiceError('versionConflict');
  }

  #takeNewer(stored: Pick<StoredKey, 'value' | 'revision'>): void {
    if (this.#opened === null || stored.revision > this.#opened.revision) this.#take(stored);
  }

  #take({ value, revision }: Pick<StoredKey, 'value' | 'revision'>): void {
    const ring = decodeRing(value);
    const signing = privateKeyOf(ring.current, this.#seal);
    if (signing === null) {
      throw new SigningRingError(
        'The signing keys in the storage were sealed under another master key; start this node with the master key of the cluster',
      );
    }
    const verifying = new Map(keysOf(ring).map((key) => [key.kid, { key: publicKeyOf(key), until: key.until }]));
    this.#opened = { ring, revision, signing, verifying };
  }

  /** @returns false when there is no record */
  async #read(): Promise<boolean> {
    const before = this.#opened;
    const stored = await this.keys.get(SIGNING_KEYS);
    this.#readAt = this.clock.monotonic();
    // A watch may have brought a newer one meanwhile.
    if (stored !== null && this.#opened === before) this.#take(stored);
    else if (stored !== null) this.#takeNewer(stored);
    return stored !== null;
  }

  async #readAgain(): Promise<void> {
    if (this.#reading === null && this.clock.monotonic() - this.#readAt < READ_AGAIN_MS) return;
    if (this.#waiting >= MAX_WAITING) return;
    this.#reading ??= this.#read()
      .then(
        () => undefined,
        () => void (this.#readAt = this.clock.monotonic()),
      )
      .finally(() => (this.#reading = null));
    this.#waiting++;
    await this.#reading.finally(() => this.#waiting--);
  }

  #find(kid: string): KeyObject | null {
    const found = this.#opened?.verifying.get(kid);
    if (!found) return null;
    return found.until !== null && found.until <= this.clock.now() ? null : found.key;
  }

  get #now(): Opened {
    if (this.#opened === null) throw new Error('SigningKeys is used before open()');
    return this.#opened;
  }
}
