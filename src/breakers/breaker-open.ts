/** A dependency was not asked, because it failed too often. The message is for the operator. */
export class BreakerOpen extends Error {
  override readonly name = 'BreakerOpen';

  /**
   * @param leftMs milliseconds until it is asked again
   * @param reason of the last failure
   */
  constructor(
    readonly dependency: string,
    readonly leftMs: number,
    reason: string,
  ) {
    super(`${dependency} is not asked for another ${Math.ceil(leftMs / 1000)} s: ${reason}`);
  }
}
