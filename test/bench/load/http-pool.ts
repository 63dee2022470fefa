import { HttpConnection } from './http-connection.js';

/** So many connections for callers that do not wait for each other; who finds none free waits for the next one. */
export class HttpPool {
  readonly #waiting: ((connection: HttpConnection) => void)[] = [];
  readonly #free: HttpConnection[];

  private constructor(private readonly connections: readonly HttpConnection[]) {
    this.#free = [...connections];
  }

  static async open(port: number, count: number): Promise<HttpPool> {
    return new HttpPool(await Promise.all(Array.from({ length: count }, () => HttpConnection.open(port))));
  }

  /** Does something with a connection of its own. */
  async with<T>(work: (connection: HttpConnection) => Promise<T>): Promise<T> {
    const connection = this.#free.pop() ?? (await new Promise<HttpConnection>((take) => this.#waiting.push(take)));
    try {
      return await work(connection);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(connection);
      else this.#free.push(connection);
    }
  }

  end(): void {
    for (const connection of this.connections) connection.end();
  }
}
