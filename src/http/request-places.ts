import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  TooManyInFlight,
  TooManyStreams,
  type InFlightLimits,
  type InFlightPlaces,
} from '../access/in-flight-limits.js';
import type { Principal } from '../access/principal.js';

type Response = FastifyReply['raw'];

/** Holds what a connection and a principal have in flight to their bounds: clients may send a request behind another. */
export class RequestPlaces {
  readonly #ofConnections = new WeakMap<Socket, { count: number }>();

  constructor(
    private readonly requests: InFlightLimits,
    private readonly streams: InFlightLimits,
  ) {}

  /** Null: the request has its place until its response ends. No errors. */
  take(
    { raw: { socket } }: FastifyRequest,
    { raw: response }: FastifyReply,
    principal: Principal,
  ): TooManyInFlight | null {
    const { ofConnection, ofPrincipal } = this.requests;
    const own = this.#of(socket);
    if (ofConnection > 0 && own.count >= ofConnection) return new TooManyInFlight('connection', ofConnection);
    const places = this.requests.enter(principal);
    if (places === null) return new TooManyInFlight('principal', ofPrincipal);
    own.count++;
    atEnd(response, () => {
      own.count--;
      places.leave();
    });
    return null;
  }

  /** As `take`, for a stream. It has its connection for itself, which others count. */
  takeStream({ raw: response }: FastifyReply, principal: Principal): TooManyStreams | null {
    const places: InFlightPlaces | null = this.streams.enter(principal);
    if (places === null) return new TooManyStreams(this.streams.ofPrincipal);
    atEnd(response, () => places.leave());
    return null;
  }

  #of(socket: Socket): { count: number } {
    let own = this.#ofConnections.get(socket);
    if (own === undefined) this.#ofConnections.set(socket, (own = { count: 0 }));
    return own;
  }
}

function atEnd(response: Response, leave: () => void): void {
  // Its client may have left while it was looked for, and then no 'close' follows.
  if (response.destroyed || response.closed) leave();
  else response.on('close', leave);
}
