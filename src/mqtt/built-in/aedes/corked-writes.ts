import type { Duplex } from 'node:stream';

/**
 * What a connection is sent within two turns of the loop leaves in one write. The broker writes each packet by itself,
 * and system calls are the largest part of the node's time at saturation. An update's PUBACK and `accepted` are due
 * shortly after each other: the answer of etcd, then the event of its watch, mostly a turn later. A turn of an idle node
 * is microseconds, so waiting for it delays nothing.
 */
export class CorkedWrites {
  #held: (() => void)[] = [];

  /** To be called before anything is written to the stream. */
  adopt(stream: Duplex): void {
    // A WebSocket sends each piece as a frame of its own, one after the other: nothing is gained there, and what is held
    // when it is destroyed would be lost.
    if (typeof (stream as Partial<Pick<Duplex, '_writev'>>)._writev !== 'function') return;
    const cork = stream.cork.bind(stream);
    const uncork = stream.uncork.bind(stream);
    const { end, destroy } = stream;
    let isHeld = false;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      uncork();
    };
    // mqtt-packet corks before each packet and uncorks after it.
    stream.cork = () => {
      if (isHeld) return;
      isHeld = true;
      cork();
      if (this.#held.push(release) === 1) setImmediate(() => setImmediate(() => this.#release()));
    };
    stream.uncork = () => {};
    // A last packet, such as a refusing CONNACK or a DISCONNECT, must not end with the connection.
    stream.end = (...last: unknown[]) => {
      release();
      return Reflect.apply(end, stream, last) as Duplex;
    };
    stream.destroy = (error?: Error) => {
      release();
      return destroy.call(stream, error);
    };
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    for (const release of held) release();
  }
}
