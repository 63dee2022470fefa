import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TooManyInFlight, type InFlightLimits } from '../access/in-flight-limits.js';
import type { Principal } from '../access/principal.js';

/** Holds what a connection and a principal have in flight to their bounds: clients may send a request behind another. */
export class RequestPlaces {
  readonly #ofConnections = new WeakMap<Socket, { count: number }>();

  constructor(private readonly limits: InFlightLimits) {}

  /** Null: the request has its place until its response ends. No errors. */
  take(
    { raw: { socket } }: FastifyRequest,
    { raw: response }: FastifyReply,
    principal: Principal,
  ): TooManyInFlight | null {
    const { ofConnection, ofPrincipal } = this.limits;
    const own = this.#of(socket);
    if (ofConnection > 0 && own.count >= ofConnection) return new TooManyInFlight('connection', ofConnection);
    const places = this.limits.enter(principal);
    if (places === null) return new TooManyInFlight('principal', ofPrincipal);
    own.count++;
    const leave = (): void => {
      own.count--;
      places.leave();
    };
    // Its client may have left while it was looked for, and then no 'close' follows.
    if (response.destroyed || response.closed) leave();
    else response.on('close', leave);
    return null;
  }

  #of(socket: Socket): { count: number } {
    let own = this.#ofConnections.get(socket);
    if (own === undefined) this.#ofConnections.set(socket, (own = { count: 0 }));
    return own;
  }
}
