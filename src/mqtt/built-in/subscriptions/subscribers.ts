import type { OutgoingPacket } from '../aedes/aedes-parts.js';
import { TopicTree } from './topic-tree.js';

type Deliver = (packet: OutgoingPacket, done: () => void) => void;

/**
 * Who on this node is subscribed to what: the part of the mqemitter contract that aedes uses. Unlike mqemitter it waits
 * for nobody: a message is handed to every subscriber at once, and what a slow one leaves waiting is bounded where it
 * waits (forward-gate.ts). So one frozen subscriber cannot stall the others or the publisher.
 */
export class Subscribers {
  readonly #tree = new TopicTree<Deliver>();

  on(filter: string, deliver: Deliver, done?: () => void): void {
    // Topics by which aedes talks to other aedes brokers: there are none.
    if (!filter.startsWith('$SYS/')) this.#tree.add(filter, deliver);
    done?.();
  }

  removeListener(filter: string, deliver: Deliver, done?: () => void): void {
    this.#tree.remove(filter, deliver);
    done?.();
  }

  emit(packet: OutgoingPacket, done?: () => void): void {
    this.#tree.some(packet.topic, (deliver) => {
      deliver(packet, nothing);
      return false;
    });
    done?.();
  }

  close(done?: () => void): void {
    done?.();
  }

  /** Whether the topic has a subscriber. To be called before a message is built. */
  has(topic: string): boolean {
    return this.#tree.has(topic);
  }
}

function nothing(): void {}
