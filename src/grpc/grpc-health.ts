import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { ServiceDefinition } from '@grpc/proto-loader';

/** Milliseconds between two looks at the readiness of the node, while somebody watches it. */
const LOOK_MS = 500;

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
        const told = this.#statusOf(request.service);
        if (told !== 'SERVICE_UNKNOWN') return callback(null, { status: told });
        callback({ code: status.NOT_FOUND, details: 'There is no such service here' });
      },
      watch: (call: Watching) => this.#watch(call),
      list: (_call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
        const entries = ['', ...this.services].map((name) => [name, { status: this.#statusOf(name) }] as const);
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
    const told = this.#statusOf(call.request.service);
    call.write({ status: told });
    if (call.cancelled) return;
    this.#watching.set(call, told);
    call.once('cancelled', () => {
      this.#watching.delete(call);
      if (this.#watching.size === 0) this.#rest();
    });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    for (const [call, told] of this.#watching) {
      const now = this.#statusOf(call.request.service);
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

  #statusOf(name: string): Told['status'] {
    if (name !== '' && !this.services.includes(name)) return 'SERVICE_UNKNOWN';
    return this.isReady() ? 'SERVING' : 'NOT_SERVING';
  }
}
