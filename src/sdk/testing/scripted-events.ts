/** The body of one stream of server-sent events, which a test writes. */
export interface ScriptedEvents {
  readonly response: Response;
  /** @param id undefined: the event has none */
  send(event: string, data: unknown, id?: string): void;
  /** Text as it is, such as `retry: 1000`. */
  raw(text: string): void;
  /** The connection is lost. */
  cut(): void;
  end(): void;
  /** Whether its reader has gone. */
  readonly isLeft: boolean;
}

export function scriptedEvents(headers: Record<string, string> = {}): ScriptedEvents {
  const encoder = new TextEncoder();
  let control!: ReadableStreamDefaultController<Uint8Array>;
  let isLeft = false;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (control = given),
    cancel: () => void (isLeft = true),
  });
  const raw = (text: string): void => control.enqueue(encoder.encode(text));
  return {
    response: new Response(body, { headers: { 'content-type': 'text/event-stream', ...headers } }),
    send: (event, data, id) =>
      raw(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`),
    raw,
    cut: () => control.error(new TypeError('terminated')),
    end: () => control.close(),
    get isLeft() {
      return isLeft;
    },
  };
}
