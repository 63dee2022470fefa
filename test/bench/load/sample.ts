/** What one window of one side showed. */
export interface Sample {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds; where the bench asks for it. */
  readonly mean?: number;
  /** All that were done from the beginning of the run to its end, warming included; what the processor's time is divided by. */
  readonly operations?: number;
}

/** Work that can be done for a while, again and again. */
export interface Load {
  run(seconds: number): Promise<Sample>;
  end(): void;
}
