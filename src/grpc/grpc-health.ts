import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { ServiceDefinition } from '@grpc/proto-loader';

/** Milliseconds between two looks at the readiness of the node, while somebody watches it. */
const LOOK_MS = 500;
/** Watches at once: of one connection, and of all. A client watches each service once. */
const MAX_OF_PEER = 10;
const MAX_WATCHES = 1_000;

interface Asked {
  readonly service: string;
}
interface Told {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}
type Watching = ServerWritableStream<Asked, Told>;

/**
 * grpc.health.v1.Health: the readiness of the node, for it as a whole and for each of its services. The implementation of
 * grpc-health-check keeps a set for every name that was ever watched, so only its description of the service is used.
 */
export class GrpcHealth {
  readonly #watching = new Map<Watching, Told['status']>();
  /** Watches by the address and port of the peer. */
  readonly #ofPeers = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;

  /** @param services that are known by name */
  constructor(
    private readonly isReady: () => boolean,
    private readonly services: readonly string[],
  ) {}

  /** @param definition of the service */
  addTo(server: Server, definition: ServiceDefinition): void {
    server.addService(definition, {
      check: ({ request }: ServerUnaryCall<Asked, Told>, callback: sendUnaryData<Told>) => {
        const told = this.#statusOf(request.service, this.isReady());
        if (told !== 'SERVICE_UNKNOWN') return callback(null, { status: told });
        callback({ code: status.NOT_FOUND, details: 'There is no such service here' });
      },
      watch: (call: Watching) => this.#watch(call),
      list: (_call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
        const isReady = this.isReady();
        const entries = ['', ...this.services].map(
          (name) => [name, { status: this.#statusOf(name, isReady) }] as const,
        );
        callback(null, { statuses: Object.fromEntries(entries) });
      },
    });
  }

  /** Tells all who watch what is so now, and ends their calls: the node goes. */
  drain(): void {
    this.#look();
    for (const call of this.#watching.keys()) {
      call.emit('error', { code: status.UNAVAILABLE, details: 'The node is shutting down' });
    }
    this.#watching.clear();
    this.#rest();
  }

  #watch(call: Watching): void {
    const peer = call.getPeer();
    const ofPeer = this.#ofPeers.get(peer) ?? 0;
    if (ofPeer >= MAX_OF_PEER || this.#watching.size >= MAX_WATCHES) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'There are too many watches of health' });
      return;
    }
    const told = this.#statusOf(call.request.service, this.isReady());
    call.write({ status: told });
    if (call.cancelled) return;
    this.#watching.set(call, told);
    this.#ofPeers.set(peer, ofPeer + 1);
    call.once('cancelled', () => {
      this.#watching.delete(call);
      const left = this.#ofPeers.get(peer)! - 1;
      if (left > 0) this.#ofPeers.set(peer, left);
      else this.#ofPeers.delete(peer);
      if (this.#watching.size === 0) this.#rest();
    });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    const isReady = this.isReady();
    for (const [call, told] of this.#watching) {
      const now = this.#statusOf(call.request.service, isReady);
      // A reader that does not read is told the latest when it does.
      if (now === told || call.writableNeedDrain) continue;
      this.#watching.set(call, now);
      call.write({ status: now });
    }
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #statusOf(name: string, isReady: boolean): Told['status'] {
    if (name !== '' && !this.services.includes(name)) return 'SERVICE_UNKNOWN';
    return isReady ? 'SERVING' : 'NOT_SERVING';
  }
}
