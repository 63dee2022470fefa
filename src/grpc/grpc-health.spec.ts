import { EventEmitter } from 'node:events';
import { status, type Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { GrpcHealth } from './grpc-health.js';

/** A call of Watch, as far as it is used. */
class Watch extends EventEmitter {
  readonly request = { service: '' };
  readonly cancelled = false;
  readonly writableNeedDrain = false;
  readonly told: unknown[] = [];

  constructor(private readonly peer: string) {
    super();
    this.on('error', ({ code }: { code: status }) => this.told.push(status[code]));
  }

  getPeer(): string {
    return this.peer;
  }

  write(message: { status: string }): void {
    this.told.push(message.status);
  }
}

describe('health over gRPC', () => {
  let looks: number;
  let isReady: boolean;
  let health: GrpcHealth;
  let watch: (call: Watch) => void;

  beforeEach(() => {
    looks = 0;
    isReady = true;
    health = new GrpcHealth(() => (looks++, isReady), ['a', 'b']);
    const addService = (_: unknown, handlers: UntypedServiceImplementation): void => {
      watch = handlers.watch as unknown as typeof watch;
    };
    health.addTo({ addService } as unknown as Server, {});
  });
  afterEach(() => health.drain());

  function watched(peer: string): Watch {
    const call = new Watch(peer);
    watch(call);
    return call;
  }

  it('looks once for all who watch', () => {
    const calls = ['a', 'b', 'c'].map(watched);
    looks = 0;
    isReady = false;
    health.drain();
    expect(looks).toBe(1);
    expect(calls.map(({ told }) => told)).toEqual(calls.map(() => ['SERVING', 'NOT_SERVING', 'UNAVAILABLE']));
  });

  it('is watched ten times by one connection, and a thousand times in all', () => {
    const calls = Array.from({ length: 1_000 }, (_, i) => watched(`10.0.0.9:${Math.floor(i / 10)}`));
    expect(new Set(calls.flatMap(({ told }) => told))).toEqual(new Set(['SERVING']));
    expect(watched('10.0.0.8:1').told).toEqual(['RESOURCE_EXHAUSTED']);
    calls[0]!.emit('cancelled');
    calls[10]!.emit('cancelled');
    const told = ['10.0.0.9:0', '10.0.0.9:0', '10.0.0.9:1'].map((peer) => watched(peer).told[0]);
    expect(told).toEqual(['SERVING', 'RESOURCE_EXHAUSTED', 'SERVING']);
  });
});
