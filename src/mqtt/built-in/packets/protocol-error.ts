/** What a client did against the standard. The connection ends, and in MQTT 5 with this reason. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';

  /**
   * @param reason the MQTT 5 reason code that the standard names
   * @param message short, for the log; holds nothing that the client sent
   */
  constructor(
    readonly reason: number,
    message: string,
  ) {
    super(message);
  }
}
